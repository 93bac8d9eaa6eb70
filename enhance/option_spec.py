"""Describes an option: a row of the table in `enhance.options`."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from enhance.errors import OptionsError
from enhance.models.catalogue import Kind, option_values

Default = TypeVar("Default")


@dataclass(frozen=True)
class OptionSpec:
    """What an option is called, what it means, and which values it may have.

    group: where the page has it. label: its name for people. help: a sentence about it; empty if
    the label says it all.
    words: its values with their labels, if they are words. kind: models of this kind are values,
    too. check: for texts of a certain form, of which `words` are only the usual ones: returns the
    value as it is kept, or raises OptionsError.
    least, most: the range of a number, in `unit`; whole numbers if the default is one. step:
    between the values that the page offers.
    was: what version 0.2 called it; accepted, but not shown. With each name goes what says the
    values of then as they are said now; None if a value said nothing.
    name, default: those of the field.
    """

    group: "Group"
    label: str
    help: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    kind: Kind | None = None
    check: Callable[[Any], Any] | None = None
    least: float = 0
    most: float | None = None
    step: float = 1
    unit: str = ""
    was: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    name: str = ""
    default: Any = None

    @property
    def values(self) -> Sequence[Any]:
        """All values, with the models that there are now; empty if it is a number or a text."""
        if self.check:
            return ()
        if isinstance(self.default, bool):
            return (False, True)
        return option_values(self.kind) if self.kind else list(self.words)

    @property
    def explained(self) -> dict[str, str]:
        """The words that do not say themselves what they mean, with their labels."""
        return {v: said for v, said in self.words.items() if not said.lower().startswith(v)}

    @property
    def description(self) -> str:
        """Its label, help, explained words and range, in English."""
        words = "; ".join(f"{value}: {label}" for value, label in self.explained.items())
        within = "" if self.most is None else f"{self.least} to {self.most} {self.unit}".rstrip()
        parts = (self.label, self.help.removesuffix("."), words, within)
        return ". ".join(filter(None, parts)) + "."

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of its values, with the models that there are now."""
        if isinstance(self.default, bool):
            return {"type": "boolean", "default": self.default}
        if self.most is None:
            values = {"enum": self.values} if self.values else {}
            usual = {"examples": list(self.words)} if self.check and self.words else {}
            return {"type": "string", "default": self.default, **values, **usual}
        kind = "integer" if isinstance(self.default, int) else "number"
        within = {"minimum": self.least, "maximum": self.most}
        return {"type": kind, "default": self.default, **within}

    def read(self, text: str) -> Any:
        """The value that a text says, of the right type. Raises OptionsError if it says none."""
        if isinstance(self.default, bool):
            known = {"true": True, "false": False}
            return known[text.lower()] if text.lower() in known else self.checked(text)
        if self.most is None:
            return text
        try:
            return number(text)
        except ValueError:
            return self.checked(text)

    def checked(self, value: Any) -> Any:
        """The value; of a number, 1 and 1.0 become the same, for keys that are made of them.

        Raises OptionsError if it is not allowed.
        """
        if self.check:
            return self.check(value)
        said = {"name": self.name, "value": reprlib.repr(value)}  # short whatever a stranger sends
        values = self.values
        if values and value not in values:
            allowed = ", ".join(map(str, values))
            raise OptionsError(
                "{name} must be one of {allowed}, not {value}.", allowed=allowed, **said
            )
        if isinstance(self.default, bool):
            return bool(value)
        if self.most is None:
            return value
        if not (isinstance(value, int | float) and self.least <= value <= self.most):
            ends = {"least": self.least, "most": self.most}
            raise OptionsError(
                "{name} must be between {least} and {most}, not {value}.", **ends, **said
            )
        if isinstance(self.default, float):
            return float(value)
        if value != int(value):
            raise OptionsError("{name} must be a whole number, not {value}.", **said)
        return int(value)


class Group(str):
    """The label of some options that belong together."""

    def option(self, default: Default, label: str, help: str = "", **more: Any) -> Default:
        """A field of `enhance.options.Options`. more: as `OptionSpec` has it."""
        spec = OptionSpec(self, label, help, **more, default=default)
        made: Default = field(default=default, metadata={"spec": spec})
        return made


def number(text: str) -> float:
    """The number that a text says, as an int if it is whole. Raises ValueError if it says none."""
    value = float(text)
    return int(value) if value.is_integer() else value
