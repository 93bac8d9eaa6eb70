"""Sentences for people, which remember how they were made so that they can be translated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Sentence(str):
    """A sentence in English; `template` and `values` are what it was made of."""

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, values: dict[str, Any]) -> Sentence:
        self = super().__new__(cls, template.format(**values))
        self.template = template
        self.values = values
        return self

    def __reduce__(self) -> tuple[type[Sentence], tuple[str, dict[str, Any]]]:
        return Sentence, (self.template, self.values)  # survives pickling and deep copies


def say(template: str, /, **values: Any) -> Sentence:
    """The template with its {fields} filled in, as `str.format` does it.

    The template is the key of its translations: it must be a literal, and complete sentences.
    A value may itself be a Sentence.
    """
    return Sentence(template, values)


def joined(separator: str, parts: Iterable[str]) -> Sentence:
    """The parts one after another; those that are Sentences stay so. `separator` says nothing."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    return Sentence(separator.join(f"{{{name}}}" for name in values), values)
