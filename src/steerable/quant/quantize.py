"""The front door: calibrate, then convert or train."""

from __future__ import annotations

from typing import Any, Literal, overload

from torch import nn

from steerable.quant.calibrate import check_model, find_ranges, first_batch
from steerable.quant.fake import FakeQuantModel
from steerable.quant.integer import QuantizedModel
from steerable.quant.program import Program
from steerable.quant.weights import SHARES


@overload
def quantize(
    model: nn.Module, batches: Any, mode: Literal["ptq"] = "ptq", share: str = "field", weight_bits: int = 8
) -> QuantizedModel: ...
@overload
def quantize(
    model: nn.Module, batches: Any, mode: Literal["qat"], share: str = "field", weight_bits: int = 8
) -> FakeQuantModel: ...
def quantize(
    model: nn.Module, batches: Any, mode: str = "ptq", share: str = "field", weight_bits: int = 8
) -> QuantizedModel | FakeQuantModel:
    """An 8-bit integer network that has the symmetry of the model to the last bit.

    Activations have one scale and zero point a tensor; weights one scale for all channels of a field; biases and
    requantisation factors are those of the field; batch norms are folded. A lattice symmetry then only reorders
    integers.

    Args:
        model: an equivariant model, or a plain or baked one of convolutions, linear maps, batch norms, pointwise
            functions, pools, sums and concatenations. It is not changed. Give the equivariant model where you have it:
            it knows its fields, and only it can be trained with ``mode="qat"`` without losing its symmetry.
        batches: images like those to come: one tensor ``[B, C, H, W]``, or an iterable of tensors or of ``(images,
            labels)``; a few hundred are enough. Their size is the size of the quantised network.
        mode: ``"ptq"`` converts at once; ``"qat"`` returns a network to train, whose ``convert()`` gives the integers.
        share: what has one weight scale: ``"field"`` or ``"tensor"``; ``"channel"`` is for plain networks: on fields it
            keeps the symmetry by luck of the last bits only.
        weight_bits: 8, or 7 for x86 processors without VNNI, where 8-bit products saturate in 16 bits.

    Raises:
        TypeError: naming the first layer without an integer form.
        ValueError: for images that tell nothing (none, constant, not finite), an unknown mode or share.

    Source: Jacob et al., arXiv 1712.05877; the sharing after Mohamed, Cesa, Cohen and Welling, arXiv 2004.09691.
    """
    if mode not in ("ptq", "qat"):
        raise ValueError(f"quantize: got mode={mode!r}; expected 'ptq' or 'qat'")
    if share not in SHARES:
        raise ValueError(f"quantize: got share={share!r}; expected one of {', '.join(SHARES)}")
    if weight_bits not in (7, 8):
        raise ValueError(f"quantize: got weight_bits={weight_bits!r}; expected 8 or 7")
    check_model(model)
    example, batches = first_batch(batches)
    program = Program(model, example)
    if not program.linear_units():
        raise ValueError(
            f"quantize: {type(model).__name__} holds no convolution or linear map; expected a network with weights"
        )
    for unit in program.linear_units():
        unit.share, unit.bits = share, weight_bits
    ranges = find_ranges(program, batches)
    if mode == "qat":
        return FakeQuantModel(program, ranges)
    return QuantizedModel(program.lower(ranges), program.shape)
