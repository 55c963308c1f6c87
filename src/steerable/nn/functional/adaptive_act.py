"""Fourier activations whose samples move with the data: exactly equivariant for any number of samples."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from steerable.aggregate.paths import accumulation_dtype
from steerable.groups.eager import full_precision
from steerable.nn.functional.fourier_act import Function, fourier_act
from steerable.nn.functional.frames import ELEMENT_AXES, Frames, irrep_matrices
from steerable.nn.functional.pointwise_functions import pointwise_function

# Added to the squared spread of a field over the group, so that the slope of the two-point rule has a limit.
_EPS = 1e-10


class Run(NamedTuple):
    """Neighbouring equal irreps of one field: channels ``start:stop``, ``count`` copies of dimension ``dim``.

    ``trivial`` irreps stay under frames; of these the ``mean`` is what all of the group leaves alone (in a product with
    a finite group others are not).
    """

    id: str
    start: int
    stop: int
    count: int
    dim: int
    trivial: bool
    mean: bool


class FieldPlan(NamedTuple):
    """One block: m fields of ``size`` channels; ``runs`` is empty for permuted fields, which are their own samples."""

    multiplicity: int
    size: int
    runs: tuple[Run, ...]

    @property
    def channels(self) -> int:
        """Channels of the block."""
        return self.multiplicity * self.size


class AdaptivePlan(NamedTuple):
    """What `adaptive_act` knows of a type: the name of the group and its blocks."""

    kind: str
    blocks: tuple[FieldPlan, ...]


def adaptive_act(
    x: Tensor, frames: Frames, plan: AdaptivePlan, function: str | Function, matrices: dict[str, Tensor]
) -> Tensor:
    """``rho(q) A+ f(A rho(q)^-1 v)`` for the frame q of every point, mixed with the two-point rule where q is weak.

    Args:
        x: ``[B, C, *S]``.
        frames: one a point, ``[B, *S]``, or one a sample, ``[B]``.
        plan: the type.
        function: a name, or a callable on tensors.
        matrices: ``sample_k [N, d]`` and ``project_k [d, N]`` of block k on coefficients by irreps, and ``basis_k
            [d, d]`` where the field is not in this basis.

    Raises:
        ValueError: if the frames are neither one a point nor one a sample.

    Source: Inal and Cesa, "Adaptive Sampling for Continuous Group Equivariant Neural Networks", 2024, arXiv 2409.08741.
    """
    dtype = accumulation_dtype(x)
    with full_precision(x):
        rows = x.movedim(1, -1).to(dtype)
        elements, weight = frames.elements.to(dtype), frames.weight
        lead = elements.shape[: elements.dim() - ELEMENT_AXES[plan.kind]]
        if not torch.compiler.is_compiling() and lead not in (x.shape[:1], rows.shape[:-1]):
            raise ValueError(
                f"frames of shape {tuple(elements.shape)} do not fit x {tuple(x.shape)}; expected one a sample, "
                f"{tuple(x.shape[:1])}, or one a point, {tuple(rows.shape[:-1])}, before the axes of an element"
            )
        per_frame = rows.shape[1:-1].numel() if len(lead) == 1 else 1
        flat = rows.reshape(math.prod(lead), per_frame, x.shape[1])
        ids = [r.id for b in plan.blocks for r in b.runs if not r.trivial]
        found = irrep_matrices(plan.kind, elements.flatten(0, len(lead) - 1), ids) if ids else {}
        w = None if weight is None else weight.to(dtype).reshape(-1, 1, 1, 1)
        parts = []
        for k, (b, v) in enumerate(zip(plan.blocks, flat.split([b.channels for b in plan.blocks], -1), strict=True)):
            fields = v.unflatten(-1, (b.multiplicity, b.size))
            parts.append(_block(fields, b, found, w, function, matrices, k).flatten(2))
        y = parts[0] if len(parts) == 1 else torch.cat(parts, -1)
        return y.reshape(rows.shape).movedim(-1, 1).to(x.dtype)


def _block(
    v: Tensor,
    block: FieldPlan,
    found: dict[str, Tensor],
    weight: Tensor | None,
    function: str | Function,
    matrices: dict[str, Tensor],
    k: int,
) -> Tensor:
    """One block ``[Q, R, m, d]``: Q frames for R points each."""
    if not block.runs:
        return _value(function)(v)
    basis = matrices.get(f"basis_{k}")
    v = v if basis is None else v @ basis.to(v.dtype)
    still = _turn(v, block.runs, found, back=True)
    sample, project = matrices[f"sample_{k}"].to(v.dtype), matrices[f"project_{k}"].to(v.dtype)
    fields = still.reshape(v.shape[0] * v.shape[1], *v.shape[2:])
    y = fourier_act(fields, sample, project, function).reshape(v.shape)
    if weight is not None:
        other = two_point(still, block.runs, function)
        y = other + weight * (y - other)  # where the weight is 0 this is `other`, to the last bit
    y = _turn(y, block.runs, found, back=False)
    return y if basis is None else y @ basis.to(v.dtype).t()


def _turn(v: Tensor, runs: tuple[Run, ...], found: dict[str, Tensor], back: bool) -> Tensor:
    """The matrix of each frame, or its transpose, on every irrep of ``[Q, R, m, d]``."""
    parts = []
    for r, part in zip(runs, _split(v, runs), strict=True):
        if not r.trivial:
            d = found[r.id] if back else found[r.id].mT
            rows = part.reshape(v.shape[0], v.shape[1] * v.shape[2] * r.count, r.dim)
            part = torch.bmm(rows, d).reshape(part.shape)
        parts.append(part)
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def two_point(v: Tensor, runs: tuple[Run, ...], function: str | Function) -> Tensor:
    """The activation as if each field took two values, its mean plus and minus its spread over the group.

    ``mean -> (f(mean + s) + f(mean - s)) / 2`` and every other coefficient times ``(f(mean + s) - f(mean - s)) / 2 s``
    with s the root of their mean square: exactly equivariant, f to first order in s, smooth, and it needs no frame.

    Args:
        v: ``[..., d]`` coefficients by irreps, orthonormal functions.
        runs: the irreps; at most one is the mean.
        function: a name, or a callable on tensors.
    """
    f = _value(function)
    pieces = list(zip(runs, _split(v, runs), strict=True))
    spread = (sum(p.square().sum(-1, keepdim=True) for r, p in pieces if not r.mean) + _EPS).sqrt()
    means = [p for r, p in pieces if r.mean]
    mean = means[0] if means else torch.zeros_like(spread)
    high, low = f(mean + spread), f(mean - spread)
    slope = (high - low) / (2 * spread)
    parts = [(high + low) / 2 if r.mean else slope * p for r, p in pieces]
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def _split(v: Tensor, runs: tuple[Run, ...]) -> tuple[Tensor, ...]:
    """The runs of ``[..., d]``; one split, whose gradient is one concatenation."""
    return (v,) if len(runs) == 1 else v.split([r.stop - r.start for r in runs], -1)


def _value(function: str | Function) -> Function:
    return pointwise_function(function).value if isinstance(function, str) else function
