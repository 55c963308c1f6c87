"""Chart from two commuting generators: the matrix exponential moves a pivot over the plane."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.warp.chart import Chart
from steerable.domains.warp.homography import move

Rows = tuple[tuple[float, ...], ...]


def homogeneous(a: Tensor, name: str) -> Tensor:
    """A generator as ``[3, 3]`` float64. Raises ``ValueError`` for another shape or entries that are not finite."""
    a = torch.as_tensor(a, dtype=torch.float64)
    if a.shape not in ((2, 2), (3, 3)) or not bool(a.isfinite().all()):
        raise ValueError(
            f"Warp.from_generators: {name} is {a.tolist()}; expected finite entries, [2, 2] for a linear map or [3, 3] "
            "for a projective one"
        )
    return torch.nn.functional.pad(a, (0, 1, 0, 1)) if a.shape == (2, 2) else a


def check_generators(first: Tensor, second: Tensor, pivot: Tensor) -> None:
    """Refuse generators that do not commute, and a pivot that they do not move in two directions.

    Raises:
        ValueError: naming the size of what should vanish, and the mend.
    """
    bracket = first @ second - second @ first
    size = float(bracket.norm())
    if size > 1e-9 * float(first.norm() * second.norm()):
        raise ValueError(
            f"Warp.from_generators: A1 and A2 do not commute, |A1 A2 - A2 A1| = {size:.3g}; expected 0, since "
            "canonical coordinates add (t_u t_v = t_(u+v)). A rotation and a shear, say, have none in common: put two "
            "one-parameter warps into a TransformerSequence"
        )
    start = torch.cat((pivot, pivot.new_ones(1)))
    speeds = torch.stack(((first @ start), (second @ start)), -1)
    tangent = speeds[:2] - pivot[:, None] * speeds[2:]
    scale = float(first.norm() * second.norm()) * max(1.0, float(pivot.norm()) ** 2)
    if abs(float(torch.linalg.det(tangent))) <= 1e-9 * scale:
        raise ValueError(
            f"Warp.from_generators: at the pivot x0 = {pivot.tolist()} the two motions are parallel or vanish "
            f"(det = {float(torch.linalg.det(tangent)):.3g}); expected u -> t_u(x0) to reach an area. Choose another "
            "pivot, such as (1, 0) for rotation and scaling, or generators that are independent"
        )


@dataclass(frozen=True)
class Generated(Chart):
    """``x = exp(u A1 + v A2) x0`` for commuting A1, A2; numbers are kept as tuples so that charts compare and pickle.

    Attributes:
        first, second: the generators, three rows of three.
        pivot: ``x0``.
        ranges: low and high end of u, then of v: where the inverse is looked for.
    """

    first: Rows
    second: Rows
    pivot: tuple[float, float]
    ranges: tuple[float, float, float, float]

    def _generators(self, like: Tensor) -> tuple[Tensor, Tensor]:
        options = {"dtype": like.dtype, "device": like.device}
        return torch.tensor(self.first, **options), torch.tensor(self.second, **options)

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """``exp(a A1 + b A2)``."""
        first, second = self._generators(a)
        return torch.linalg.matrix_exp(a[..., None, None] * first + b[..., None, None] * second)

    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """Move the pivot."""
        u, v = torch.broadcast_tensors(u, v)
        return move(self.matrix(u, v), torch.tensor(self.pivot, dtype=u.dtype, device=u.device))

    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Newton's iteration from the nearest of 65 x 65 points of the range; NaN where it does not arrive."""
        flat = x.reshape(-1, 2)
        axes = [torch.linspace(low, high, 65, dtype=x.dtype) for low, high in (self.ranges[:2], self.ranges[2:])]
        start = torch.cartesian_prod(*axes)
        known = self.to_plane(start[:, 0], start[:, 1], torch.zeros(()))
        uv = start[torch.cdist(flat, known).argmin(1)]
        first, second = self._generators(x)
        pivot = torch.tensor((*self.pivot, 1.0), dtype=x.dtype)
        for _ in range(30):
            q = self.matrix(uv[:, 0], uv[:, 1]) @ pivot
            here = q[:, :2] / q[:, 2:]
            # d/du exp(u A) x0 = A exp(u A) x0, then the quotient rule
            speeds = torch.stack((q @ first.T, q @ second.T), -1)
            jacobian = (speeds[:, :2] - here[..., None] * speeds[:, 2:]) / q[:, 2:, None]
            uv = uv + torch.linalg.solve_ex(jacobian, flat - here)[0]
        missed = (self.to_plane(uv[:, 0], uv[:, 1], torch.zeros(())) - flat).abs().amax(-1) > 1e-8
        uv = uv.masked_fill((missed | ~uv.isfinite().all(-1))[:, None], torch.nan).reshape(x.shape)
        return uv[..., 0], uv[..., 1], torch.zeros(x.shape[:-1], dtype=torch.int64)
