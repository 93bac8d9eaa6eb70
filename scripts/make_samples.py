"""Makes the photos in `assets/samples`: `python -m scripts.make_samples`."""

from __future__ import annotations

from PIL import Image

from benchmarks.photos import Damage, astronaut, degrade, group, hopper, sepia
from scripts import ASSETS

SAMPLES = {
    "blurred_portrait": degrade(astronaut(), Damage(blur=1.6, down=1, noise=4, jpeg=60)),
    "old_print": degrade(
        sepia(hopper()), Damage(blur=1.2, down=2, noise=7, jpeg=70, scratches=5), seed=3
    ),
    "small_portrait": degrade(hopper(), Damage(blur=0.8, down=3, noise=3, jpeg=50)),
    "group": degrade(group(4, 900, 900), Damage(blur=1.0, down=1, noise=5, jpeg=60)),
}

if __name__ == "__main__":
    folder = ASSETS / "samples"
    folder.mkdir(exist_ok=True)
    for name, pixels in SAMPLES.items():
        Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=88)
