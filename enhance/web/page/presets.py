"""Presets: named sets of options for common kinds of photos."""

from dataclasses import replace

from enhance.options import Options
from enhance.web.language import text

PRESETS: dict[str, Options] = {
    "automatic": Options(),
    "old": Options(background="compact", repair="on", tone="on"),
    "group": Options(face_threshold=0.6, min_face=12),
    "large": Options(size="4x"),
    "fast": Options(size="1x", background="lanczos", faces="largest"),
}
LABELS = {
    "automatic": text("Automatic"),
    "old": text("Old photo"),
    "group": text("Group photo"),
    "large": text("Large print"),
    "fast": text("Quick look"),
    "custom": text("Custom"),
}
ABOUT = {
    "automatic": text("Looks at each photo, and does what it needs and nothing else."),
    "old": text("Always repairs scratches and faded colors, and removes noise."),
    "group": text("Also finds faces that are small or hard to see."),
    "large": text("Does what each photo needs, and makes it four times as wide and high."),
    "fast": text("Restores the largest face only and keeps the photo's size."),
    "custom": text("Uses the settings below."),
}


def preset_of(options: Options) -> str:
    """The name of the preset with exactly these options, whatever the results' names are, or
    "custom"."""
    plain = replace(options, name=Options.name)
    return next((name for name, preset in PRESETS.items() if preset == plain), "custom")
