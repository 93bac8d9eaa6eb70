"""The options as tables for the docs, in English and Chinese."""

import json

from enhance.models.catalogue import MODELS
from enhance.models.files import ModelFile
from enhance.option_spec import OptionSpec
from enhance.options import OPTIONS
from enhance.web.language import Language, translated

_HEADS = {"en": ("option", "values", "default", "meaning"), "zh": ("选项", "取值", "默认", "含义")}
_COLON = {"en": ": ", "zh": "："}
_TEXT = {"en": "text", "zh": "文字"}


def option_table(language: Language) -> str:
    """All options as Markdown."""
    lines = [_HEADS[language], ("---",) * 4]
    lines += [_row(spec, language) for spec in OPTIONS.values()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(spec: OptionSpec, language: Language) -> tuple[str, str, str, str]:
    parts = (translated(part, language) for part in (spec.label, spec.help) if part)
    default = f"`{_code(spec.default)}`"
    return f"`{spec.name}`", _values(spec, language), default, _COLON[language].join(parts)


def _values(spec: OptionSpec, language: Language) -> str:
    if spec.most is not None:
        return f"{spec.least} … {spec.most} {translated(spec.unit, language)}".rstrip()
    values = spec.values or list(spec.words)
    if not values:
        return _TEXT[language]
    notes = {v: f" ({translated(label, language)})" for v, label in spec.explained.items()}
    known = [f"`{_code(v)}`{notes.get(v, '')}" for v in values if not _own(v)]
    return ", ".join(known if spec.values else [*known, "…"])


def _code(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _own(value: str) -> bool:
    """Whether it is a file in the models folder of this machine."""
    return value in MODELS and isinstance(MODELS[value].weights, ModelFile)
