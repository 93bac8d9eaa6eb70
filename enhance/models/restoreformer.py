"""RestoreFormer++ for spandrel, which knows only RestoreFormer.

It has four attention heads rather than eight, and its decoder also attends to the encoder at 32×32
pixels (https://github.com/wzhouxiff/RestoreFormerPlusPlus).
"""

from spandrel import Architecture, ImageModelDescriptor
from spandrel.architectures.RestoreFormer import RestoreFormerArch
from spandrel.util import KeyCondition
from torch import Tensor, nn

_HEADS = 4
_LEVEL = 4  # of 32×32 pixels; level 0 has 512×512
_ADDED = f"decoder.up.{_LEVEL}.attn."


class RestoreFormerPlusPlus(RestoreFormerArch):  # type: ignore[misc]
    """The architecture, to be asked before RestoreFormer, whose keys it has too."""

    def __init__(self) -> None:
        Architecture.__init__(
            self,
            id="RestoreFormer++",
            detect=KeyCondition.has_all("quantize.embedding.weight", f"{_ADDED}0.q.weight"),
        )

    def load(self, state_dict: dict[str, Tensor]) -> ImageModelDescriptor[nn.Module]:
        known = {key: value for key, value in state_dict.items() if not key.startswith(_ADDED)}
        found: ImageModelDescriptor[nn.Module] = super().load(known)
        decoder = found.model.decoder
        level = decoder.up[_LEVEL]
        attention = type(decoder.mid.attn_1)
        level.attn = nn.ModuleList(attention(block.out_channels) for block in level.block)
        for block in found.model.modules():
            if isinstance(block, attention):
                block.head_size, block.att_size = _HEADS, block.in_channels // _HEADS
        # Spandrel's decoder looks for the encoder's features under this name at every level.
        decoder.register_forward_pre_hook(
            lambda _, inputs: (
                inputs[0],
                inputs[1] | {f"block_{_LEVEL}_atten": inputs[1][f"block_{_LEVEL}"]},
            )
        )
        found.model.load_state_dict(state_dict)
        return found
