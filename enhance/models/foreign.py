"""Reads models of all architectures that spandrel knows, from files that nobody vouches for.

Spandrel identifies the model, but the file is read here, without running any code in it.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from torch import nn

from enhance.errors import WeightsInvalid
from enhance.models.checkpoints import load_checkpoint

if TYPE_CHECKING:
    from spandrel import ArchRegistry, ImageModelDescriptor, MaskedImageModelDescriptor

    Descriptor: TypeAlias = ImageModelDescriptor[nn.Module]
    Masked: TypeAlias = MaskedImageModelDescriptor[nn.Module]

log = logging.getLogger(__name__)

FILLS, COLORS = "LaMa", "DDColor"
"""Spandrel's names of the architecture that fills in what is marked, and of that which colors
gray photos."""


def read_model(path: Path) -> Descriptor | Masked:
    """The model in a file, on the CPU: RGB (n, 3, h, w) → (n, 3, s·h, s·w), or one that fills in
    what is marked ("LaMa"), or one that gives colors to gray photos ("DDColor").

    Raises as `load_checkpoint`, and WeightsInvalid when the architecture is unknown, its weights
    are incomplete, or it is a model of another kind.
    """
    state = load_checkpoint(path)
    from spandrel import ImageModelDescriptor, ModelTiling, UnsupportedModelError

    try:
        found = _architectures().load(state)
    except UnsupportedModelError:
        raise WeightsInvalid("{file} has an unknown architecture.", file=path.name) from None
    except Exception as error:  # unexpected shapes make constructors raise almost anything
        log.info("%s: %r", path, error)
        raise WeightsInvalid(
            "{file} contains weights that do not fit its architecture.", file=path.name
        ) from error
    if found.architecture.id == COLORS and found.model.num_output_channels == 2:
        return found
    if not isinstance(found, ImageModelDescriptor):
        if found.architecture.id == FILLS and found.input_channels == 3:
            return found
        raise WeightsInvalid(
            "{file} is for inpainting, but not a LaMa for color photos.", file=path.name
        )
    if (found.input_channels, found.output_channels) != (3, 3):
        raise WeightsInvalid("{file} is not a model for color photos.", file=path.name)
    if found.tiling is ModelTiling.INTERNAL:
        raise WeightsInvalid("{file} works on whole photos only, not on tiles.", file=path.name)
    return found


@cache
def _architectures() -> ArchRegistry:
    """Spandrel's architectures, RestoreFormer++, and, if installed, spandrel_extra_arches."""
    from spandrel import MAIN_REGISTRY, ArchId, ArchSupport

    from enhance.models.restoreformer import RestoreFormerPlusPlus

    registry = MAIN_REGISTRY.copy()
    before = (ArchId("RestoreFormer"),)
    registry.add(ArchSupport.from_architecture(RestoreFormerPlusPlus(), before))
    with suppress(ImportError):
        import spandrel_extra_arches

        registry.add(*spandrel_extra_arches.EXTRA_REGISTRY)
    return registry
