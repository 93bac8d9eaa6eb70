"""Makes the before/after picture of the README: `python -m scripts.before_after`."""

import cv2
import numpy as np
from PIL import Image

from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import load_enhancer
from enhance.records import Photo, Pixels
from scripts import ASSETS, DOCS

CUTS = {  # sample → left, top, edge of the square that is enhanced and shown
    "blurred_portrait": (60, 0, 400),
    "small_portrait": (5, 0, 160),
    "old_print": (0, 10, 250),
}
EDGE = 420


def main() -> None:
    """Before above, after below, one column per cut."""
    enhancer = load_enhancer(Setup(), Limits())
    columns = []
    for name, (left, top, edge) in CUTS.items():
        with Image.open(ASSETS / "samples" / f"{name}.jpg") as sample:
            before = np.asarray(sample.crop((left, top, left + edge, top + edge)))
        options = Options()
        after = enhancer(Photo(name, before, "PNG"), options, lambda: None).pasted()
        pair = [_fit(before), _fit(after)]
        columns.append(np.vstack(pair))
    file = DOCS / "before_after.jpg"
    Image.fromarray(np.hstack(columns)).save(file, quality=88)


def _fit(picture: Pixels) -> Pixels:
    method = cv2.INTER_AREA if picture.shape[0] > EDGE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (EDGE, EDGE), interpolation=method))


if __name__ == "__main__":
    main()
