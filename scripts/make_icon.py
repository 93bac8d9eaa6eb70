"""Draws the icon of the page: `python -m scripts.make_icon`. A face, half of it sharp."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFilter

from scripts import ASSETS

EDGE = 512
ORANGE, WHITE = (249, 115, 22), (255, 255, 255)


def main() -> None:
    """Blurred on the left, sharp on the right of a white line."""
    face = Image.new("RGB", (EDGE, EDGE), ORANGE)
    draw = ImageDraw.Draw(face)
    draw.ellipse((96, 76, 416, 436), fill=WHITE)
    for x in (196, 316):
        draw.ellipse((x - 24, 196, x + 24, 244), fill=ORANGE)
    draw.arc((186, 230, 326, 370), 25, 155, fill=ORANGE, width=22)
    half = face.filter(ImageFilter.GaussianBlur(16)).crop((0, 0, EDGE // 2, EDGE))
    face.paste(half, (0, 0))
    ImageDraw.Draw(face).line((EDGE // 2, 0, EDGE // 2, EDGE), fill=ORANGE, width=10)
    corners = Image.new("L", (EDGE, EDGE), 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, EDGE - 1, EDGE - 1), 96, fill=255)
    face.putalpha(corners)
    face.quantize(64).save(ASSETS / "icon.png", optimize=True)


if __name__ == "__main__":
    main()
