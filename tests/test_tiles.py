import random

import numpy as np
import pytest

from enhance.upscaling.tiles import tiles

SEEDED = random.Random(7)
SIZES = [
    (1, 1, 32, 8),
    (32, 32, 32, 0),
    (33, 32, 32, 4),
    (31, 65, 32, 100),
    (1, 500, 64, 64),
    (1000, 7, 512, 64),
    *(
        (
            SEEDED.randint(1, 700),
            SEEDED.randint(1, 700),
            SEEDED.randint(32, 300),
            SEEDED.randint(0, 70),
        )
        for _ in range(25)
    ),
]


@pytest.mark.parametrize(("height", "width", "tile", "overlap"), SIZES)
def test_cores_partition_the_image(height: int, width: int, tile: int, overlap: int) -> None:
    covered = np.zeros((height, width), int)
    sizes = []
    for part in tiles(height, width, tile, overlap):
        assert covered[part.core].size > 0
        covered[part.core] += 1
        sizes.append(covered[part.core].shape)
    assert (covered == 1).all()
    for axis in zip(*sizes, strict=True):
        assert max(axis) <= tile
        assert max(axis) - min(axis) <= 1, "a sliver"
    assert len(sizes) == -(-height // tile) * -(-width // tile)


@pytest.mark.parametrize(("height", "width", "tile", "overlap"), SIZES)
def test_windows_are_cores_with_context(height: int, width: int, tile: int, overlap: int) -> None:
    for part in tiles(height, width, tile, overlap):
        for window, core, length in zip(part.window, part.core, (height, width), strict=True):
            assert window.start == max(0, core.start - overlap)
            assert window.stop == min(length, core.stop + overlap)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize(("height", "width", "tile", "overlap"), SIZES[:12])
def test_tiles_put_together_are_the_image(
    height: int, width: int, tile: int, overlap: int, scale: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width))
    enlarged = image.repeat(scale, 0).repeat(scale, 1)
    output = np.full_like(enlarged, -1)
    for part in tiles(height, width, tile, overlap):
        seen = image[part.window].repeat(scale, 0).repeat(scale, 1)
        output[part.core_in_output(scale)] = seen[part.core_in_window(scale)]
    assert (output == enlarged).all()
