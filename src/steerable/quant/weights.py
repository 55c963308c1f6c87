"""Integer weights whose symmetry is that of the filter: shared scales, and roundings that no last bit can part."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: what the channels of one scale have in common
SHARES = ("field", "tensor", "channel")
#: largest integer of a bias: sums with it stay within 32 bits
MOST = 2**30


@dataclass(frozen=True)
class IntegerWeights:
    """Integers of a linear map: ``weight ~ scale * integers``.

    Attributes:
        weight: ``int8 [C_out, C_in / groups, k, k]``.
        bias: ``int32 [C_out]`` in steps of ``input scale * scale``.
        scale: ``float32 [C_out]``, equal for all channels of one field.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor


def group_index(fields: Tensor, share: str) -> Tensor:
    """``[C]``: number of the scale that each channel uses, from the number of its field. ``ValueError`` for no way."""
    if share not in SHARES:
        raise ValueError(f"quantize: got share={share!r}; expected one of {', '.join(SHARES)}")
    if share == "tensor":
        return torch.zeros_like(fields)
    return fields if share == "field" else torch.arange(len(fields), device=fields.device)


def shared_scales(weight: Tensor, index: Tensor, top: int) -> Tensor:
    """``float32 [C]``: largest magnitude over all channels of one index, divided by ``top``; 1 where all is zero."""
    found = shared_largest(weight, index)
    return torch.where(found > 0, found / top, torch.ones_like(found)).float()


def shared_largest(values: Tensor, index: Tensor) -> Tensor:
    """``[C]``: largest magnitude of ``values [C, ...]`` over all channels of one index."""
    largest = values.detach().abs().reshape(len(values), -1).amax(1)
    return largest.new_zeros(int(index.max()) + 1).scatter_reduce(0, index, largest, "amax")[index]


def tie_proof_round(values: Tensor, tolerance: float) -> Tensor:
    """Round to integers so that values closer than ``tolerance``, up to sign, do not part.

    Entries of an equivariant filter that symmetry makes equal differ in their last bits. A value near a half would then
    round up in one orientation and down in another. Here the magnitudes within ``tolerance`` of each half are cut in
    two where they lie farthest apart, which no entries that symmetry makes equal do: those below the cut round down,
    the others up. No value moves by more than ``1/2 + tolerance``, however many there are.

    Args:
        values: float64, any shape.
        tolerance: larger than the noise of the values, much smaller than 1. From 1/4 on, where halves are no longer
            apart, values are taken together wherever the step to the next is at most ``tolerance``.

    Returns:
        float64 whole numbers of the same shape.
    """
    flat = values.detach().double().reshape(-1)
    if not flat.numel():
        return flat.reshape(values.shape)
    ordered, order = flat.abs().sort()
    rounded = _cut_at_halves(ordered, tolerance) if tolerance < 0.25 else _in_runs(ordered, tolerance)
    result = torch.empty_like(flat).scatter_(0, order, rounded)
    return (result * flat.sign()).reshape(values.shape)


def _cut_at_halves(ordered: Tensor, tolerance: float) -> Tensor:
    """Rounding of ascending magnitudes with a threshold near each half, in the widest gap around it."""
    below = ordered.floor()
    rounded = torch.round(ordered)
    near = (ordered - below - 0.5).abs() <= tolerance
    for whole in below[near].unique():
        place = (near & (below == whole)).nonzero()[:, 0]
        first, last = int(place[0]), int(place[-1]) + 1
        # the gap at either end reaches to the next value beyond
        before = ordered[first - 1] if first else whole
        after = ordered[last] if last < len(ordered) else whole + 1
        edges = torch.cat((before[None], ordered[first:last], after[None]))
        cut = first + int(edges.diff().argmax())
        rounded[first:cut], rounded[cut:last] = whole, whole + 1
    return rounded


def _in_runs(ordered: Tensor, tolerance: float) -> Tensor:
    """Rounding of ascending magnitudes in runs, cut where the step is above the tolerance."""
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] - ordered[:-1] > tolerance
    return torch.round(ordered[first])[first.long().cumsum(0) - 1]


def noise(dtype: torch.dtype, top: float) -> float:
    """A bound on how far equal entries of a filter drift apart, in steps, if the largest is ``top`` steps."""
    return 16 * torch.finfo(dtype).eps * top


def integer_weights(
    weight: Tensor, bias: Tensor | None, index: Tensor, input_scale: float, bits: int, dtype: torch.dtype
) -> IntegerWeights:
    """Integers of a filter and its bias.

    Args:
        weight: ``[C_out, ...]`` float64.
        bias: ``[C_out]`` float64 or ``None``.
        index: from :func:`group_index`.
        input_scale: step of the input.
        bits: 8, or 7 for processors whose 8-bit products saturate in 16 bits.
        dtype: in which the weights were computed.
    """
    top = 2 ** (bits - 1) - 1
    scale = shared_scales(weight, index, top)
    if bias is not None:  # where the input is tiny beside the bias, steps grow until the bias fits
        scale = torch.maximum(scale, (shared_largest(bias, index).double() / (input_scale * MOST)).float())
    steps = scale.double()
    w = tie_proof_round(weight.double() / steps.view(-1, *[1] * (weight.dim() - 1)), noise(dtype, top)).clamp(-top, top)
    b = torch.zeros(len(weight), dtype=torch.float64) if bias is None else bias.double() / (steps * input_scale)
    largest = float(b.abs().max()) if len(b) else 0.0
    b = tie_proof_round(b, noise(dtype, max(largest, 1.0))).clamp(-MOST, MOST)
    return IntegerWeights(w.to(torch.int8), b.to(torch.int32), scale)
