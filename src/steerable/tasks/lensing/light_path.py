"""Ray shooting: from points on the sky back to the source."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks.lensing.profiles import LENSES, SOURCES, Profile

__all__ = ["add_deflection", "surface_brightness"]

_CACHED = 262_144  # clumps times points worked on at a time: what stays in the cache


def _columns(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parameters [B] against points [B, ., .]."""
    return {name: value[:, None, None] for name, value in values.items()}


def _clumps(profile: Profile, values: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Summed deflection of the clumps of each scene, parameters [B, K], at points x [1, n], y [m, 1] or both [1, P].

    Scene by scene: the work is that of the clumps that exist, without padding, and the result of a scene does not
    depend on its batch, to the last bit. Squared distances on a grid are sums of a row and a column.
    """
    shape = torch.broadcast_shapes(x.shape, y.shape)
    some = max(1, _CACHED // shape.numel())
    rows = []
    for i in range(next(iter(values.values())).shape[0]):
        strength = values[profile.strength][i]
        # a clump of strength 0 bends nothing, yet what it would bend is the derivative by its strength
        there = (torch.ones_like(strength) if strength.requires_grad else strength).nonzero()[:, 0]
        # sum_k ratio_k (x - x_k) = x sum_k ratio_k - sum_k ratio_k x_k: products with three rows of weights
        sums = torch.zeros(3, shape.numel(), dtype=x.dtype, device=x.device)
        for part in there.split(some):
            own = {name: value[i, part].to(x.dtype)[:, None, None] for name, value in values.items()}
            centre_x, centre_y = (own[name] for name in profile.centre)
            dx, dy = x - centre_x, y - centre_y
            ratio, factor = profile.ratio(dx * dx, dy * dy, own)  # type: ignore[misc]
            weights = torch.stack((factor, factor * centre_x, factor * centre_y))[:, :, 0, 0]
            sums = torch.addmm(sums, weights, ratio.flatten(1))
        rows.append(sums.unflatten(1, shape))
    total, first, second = torch.stack(rows, 1).unbind(0)
    return x * total - first, y * total - second


def add_deflection(lens: tuple, x: Tensor, y: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """Sum of the deflections of all parts, two tensors [B, m, n].

    Args:
        lens: the parts of a scene.
        x: [1, n] on a grid, [1, P] for P points.
        y: [m, 1] on a grid, [1, P] for P points.
        batch: the number of scenes B.
    """
    shape = torch.broadcast_shapes(x.shape, y.shape)
    total: tuple[Tensor, Tensor] | None = None
    for part in lens:
        profile = LENSES[part.kind]
        if next(iter(part.values.values())).ndim == 2:
            ax, ay = _clumps(profile, part.values, x, y)
        else:
            values = _columns({name: value.to(x.dtype) for name, value in part.values.items()})
            dx, dy = x - values[profile.centre[0]], y - values[profile.centre[1]]
            if profile.ratio is not None:
                ratio, factor = profile.ratio(dx * dx, dy * dy, values)
                ratio = factor * ratio
                ax, ay = ratio * dx, ratio * dy
            else:
                ax, ay = profile.deflection(dx, dy, values)  # type: ignore[misc]
        total = (ax, ay) if total is None else (total[0] + ax, total[1] + ay)
    if total is None:
        zero = torch.zeros(batch, *shape, dtype=x.dtype, device=x.device)
        return zero, zero
    return total[0].expand(batch, *shape), total[1].expand(batch, *shape)


def surface_brightness(lens: tuple, source: tuple, x: Tensor, y: Tensor, batch: int) -> Tensor:
    """Surface brightness [B, m, n] of the lensed sources; arguments as in `add_deflection`."""
    ax, ay = add_deflection(lens, x, y, batch)
    total: Tensor | None = None
    for part in source:
        values = _columns({name: value.to(x.dtype) for name, value in part.values.items()})
        profile = SOURCES[part.kind]
        centre_x, centre_y = (values[name] for name in profile.centre)
        light = profile.light((x - centre_x) - ax, (y - centre_y) - ay, values)  # type: ignore[misc]
        total = light if total is None else total + light
    return torch.zeros_like(ax) if total is None else total
