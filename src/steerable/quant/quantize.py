"""The front door: calibrate, then convert or train."""

from __future__ import annotations

import warnings
from typing import Any, Literal, overload

import torch
from torch import nn

from steerable.nn.exactness import ExactnessWarning
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

    That is meant of the integers: those of turned images are the turned integers. A baked network gives it, too, if it
    was baked in float32 or float64, where entries of a filter that symmetry makes equal are still told from others.

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
        ValueError: for images that tell nothing (none, constant, not finite), an unknown mode or share, a network that
            was baked in half precision.

    Warns:
        ExactnessWarning: ``share="channel"`` for a network with fields, or ``mode="qat"`` for a baked one.

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
    if share == "channel" or mode == "qat":
        _warn(model, program, mode, share)
    ranges = find_ranges(program, batches)
    if mode == "qat":
        return FakeQuantModel(program, ranges)
    return QuantizedModel(program.lower(ranges), program.shape)


def _warn(model: nn.Module, program: Program, mode: str, share: str) -> None:
    """Say once what will break the symmetry of fields."""
    wide = [unit for unit in program.linear_units() if unit.has_fields]
    if wide and share == "channel":
        warnings.warn(
            f"quantize: got share='channel' for {type(model).__name__}, {len(wide)} layers of which have fields; "
            f"expected 'field' or 'tensor': the orientations of a field get scales of their own, which agree by luck "
            f"of their last bits only, so that answers to turned images may differ. Say share='field'",
            ExactnessWarning,
            stacklevel=3,
        )
    if mode == "qat" and any(unit.precision != torch.float64 for unit in wide):
        warnings.warn(
            f"quantize: got mode='qat' for {type(model).__name__}, which is baked; expected an equivariant model: the "
            f"weights of a baked one leave the symmetric filters as they learn. Train the equivariant model",
            ExactnessWarning,
            stacklevel=3,
        )
