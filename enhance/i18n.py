"""Sentences for people that remember their template and values, so that they can be translated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Sentence(str):
    """A sentence in English, made of `template` and `values`."""

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
    """The template with its {fields} filled in, as by `str.format`.

    The template is the key to its translations, so it must be a literal and consist of complete
    sentences. A value may itself be a Sentence.
    """
    return Sentence(template, values)


def text(english: str) -> str:
    """Returns its argument; marks a literal of the page for translation, braces and all."""
    return english


def joined(separator: str, parts: Iterable[str]) -> Sentence:
    """Join the parts; those that are Sentences remain translatable. separator: without words."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    return Sentence(separator.join(f"{{{name}}}" for name in values), values)
