"""Ray shooting: from points on the sky back to the source."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks.lensing.profiles import LENSES, SOURCES, Profile

__all__ = ["add_deflection", "surface_brightness"]


def _columns(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parameters [B] against points [B, ., .]."""
    return {name: value[:, None, None] for name, value in values.items()}


def _clumps(profile: Profile, values: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Summed deflection of the clumps of each scene, parameters [B, K], at points x [1, n], y [m, 1] or both [1, P].

    Scene by scene: the work is that of the clumps that exist, without padding, and the result of a scene does not
    depend on its batch, to the last bit. Squared distances on a grid are sums of a row and a column, and the sums over
    clumps are matrix products.
    """
    rows_x, rows_y = [], []
    for i in range(next(iter(values.values())).shape[0]):
        there = values[profile.strength][i].nonzero()[:, 0]
        if len(there) == 0:
            rows_x.append((x + y).new_zeros((x + y).shape))
            rows_y.append(rows_x[-1])
            continue
        own = {name: value[i, there].to(x.dtype)[:, None, None] for name, value in values.items()}
        dx, dy = x - own[profile.centre[0]], y - own[profile.centre[1]]
        ratio = profile.ratio(dx * dx + dy * dy, own)  # type: ignore[misc]
        # sum_k ratio_k (x - x_k) = x sum_k ratio_k - sum_k ratio_k x_k: one product with three rows of weights
        weights = torch.stack((torch.ones_like(dx[:, 0, 0]), *(own[name][:, 0, 0] for name in profile.centre)))
        total, first, second = (weights @ ratio.flatten(1)).unflatten(1, ratio.shape[1:])
        rows_x.append(x * total - first)
        rows_y.append(y * total - second)
    return torch.stack(rows_x), torch.stack(rows_y)


def add_deflection(lens: tuple, x: Tensor, y: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """Sum of the deflections of all parts, two tensors [B, m, n].

    Args:
        lens: the parts of a scene.
        x: [1, n] on a grid, [1, P] for P points.
        y: [m, 1] on a grid, [1, P] for P points.
        batch: the number of scenes B.
    """
    shape = torch.broadcast_shapes(x.shape, y.shape)
    total_x = total_y = torch.zeros(batch, *shape, dtype=x.dtype, device=x.device)
    for part in lens:
        profile = LENSES[part.kind]
        if next(iter(part.values.values())).ndim == 2:
            ax, ay = _clumps(profile, part.values, x, y)
        else:
            values = _columns({name: value.to(x.dtype) for name, value in part.values.items()})
            dx, dy = x - values[profile.centre[0]], y - values[profile.centre[1]]
            if profile.ratio is not None:
                ratio = profile.ratio(dx * dx + dy * dy, values)
                ax, ay = ratio * dx, ratio * dy
            else:
                ax, ay = profile.deflection(dx, dy, values)  # type: ignore[misc]
        total_x, total_y = total_x + ax, total_y + ay
    return total_x, total_y


def surface_brightness(lens: tuple, source: tuple, x: Tensor, y: Tensor, batch: int) -> Tensor:
    """Surface brightness [B, m, n] of the lensed sources; arguments as in `add_deflection`."""
    ax, ay = add_deflection(lens, x, y, batch)
    beta_x, beta_y = x - ax, y - ay
    total = torch.zeros_like(beta_x)
    for part in source:
        values = _columns({name: value.to(x.dtype) for name, value in part.values.items()})
        profile = SOURCES[part.kind]
        centre_x, centre_y = (values[name] for name in profile.centre)
        total = total + profile.light(beta_x - centre_x, beta_y - centre_y, values)  # type: ignore[misc]
    return total
