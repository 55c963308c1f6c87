"""Points anywhere on the sphere."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.domains.sphere.sphere import Sphere


class SpherePoints(Sphere):
    """Given points with given weights.

    Args:
        points: ``[N, 3]``, of any length but zero.
        weights: ``[N]``, positive; scaled to the sum 4 pi. ``None``: equal ones.

    Raises:
        ValueError: for other shapes, or points that are not finite or zero.
    """

    def __init__(self, points: Tensor, weights: Tensor | None = None) -> None:
        length = points.double().norm(dim=-1, keepdim=True) if points.dim() == 2 else torch.zeros(1)
        if points.dim() != 2 or points.shape[1] != 3 or not bool((length > 0).all() & length.isfinite().all()):
            raise ValueError(
                f"SpherePoints: points are {list(points.shape)}; expected finite directions [N, 3], none of them zero"
            )
        weights = torch.ones(len(points)) if weights is None else weights
        if weights.shape != (len(points),) or not bool((weights >= 0).all()):
            raise ValueError(
                f"SpherePoints: weights are {list(weights.shape)}; expected [{len(points)}], none negative"
            )
        self._points = points.double() / length
        self._weights = weights.double() * (4 * math.pi / weights.double().sum())

    @property
    def key(self) -> tuple[object, ...]:
        """The numbers themselves."""
        return ("points", self._points.numpy().tobytes(), self._weights.numpy().tobytes())

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N,)``."""
        return (len(self._points),)

    @property
    def band(self) -> int:
        """None is exact."""
        return 0

    def angles(self) -> Tensor:
        """Colatitude and longitude ``[N, 2]``."""
        x, y, z = self._points.unbind(-1)
        return torch.stack([torch.atan2(torch.hypot(x, y), z), torch.atan2(y, x)], -1)

    def weights(self) -> Tensor:
        """As given ``[N]``, of sum 4 pi."""
        return self._weights
