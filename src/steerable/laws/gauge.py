"""The law of gauges: layers that act at each point alone commute with frames that turn from point to point."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.laws.equivariance import relative_error
from steerable.laws.setting import evaluated, meet, resolve_in_type, resolve_out_type, tolerance


def regauge(x: Tensor, type: FieldType, g: Tensor) -> Tensor:
    """Turn the frame at every point: ``x(p) -> rho(g(p)) x(p)``.

    Args:
        x: ``[B, C, *space]``, or points ``[N, C]``.
        type: type of the channels.
        g: one element for each point, flattened: ``[prod(space), ...]`` or ``[N, ...]``. A frame turned by +a turns
            coefficients by -a: give the inverses of the turns of the frames.
    """
    matrices = type.matrix(g).to(x)  # [P, C, C]
    if x.dim() == 2:
        return torch.einsum("pij,pj->pi", matrices, x)
    return torch.einsum("pij,bjp->bip", matrices, x.flatten(2)).reshape(x.shape)


def gauge_error(
    module: nn.Module, x: Tensor, in_type: FieldType | None = None, out_type: FieldType | None = None
) -> float:
    """Relative error of ``f(g x) = g f(x)`` for a random gauge ``g(p)`` that differs from point to point."""
    in_type = resolve_in_type(module, x, in_type, None)
    with evaluated(module) as call:
        y = call(x)
        known = resolve_out_type(module, y, out_type, in_type)
        in_type = meet(in_type, known)
        points = len(x) if x.dim() == 2 else x.shape[2:].numel()
        g = in_type.group.sample(points, torch.Generator().manual_seed(2))
        return relative_error(call(regauge(x, in_type, g)), regauge(y, known, g))


def assert_gauge_equivariant(
    module: nn.Module,
    x: Tensor,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    atol: float | None = None,
) -> None:
    """Fail unless a layer that acts at each point alone commutes with any gauge.

    Raises:
        AssertionError: with the error. A layer that mixes points (a convolution) must fail: it needs a transport.
    """
    error, limit = gauge_error(module, x, in_type, out_type), tolerance(x) if atol is None else atol
    if not error <= limit:
        raise AssertionError(
            f"{type(module).__name__} depends on the gauge: relative error {error:.1e} under frames that turn "
            f"from point to point, allowed {limit:.0e}"
        )
