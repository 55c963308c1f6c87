"""The promise of a chart: the formulas of canonical coordinates, without ranges and samples."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class Chart(ABC):
    """Coordinates ``(u, v)`` of the plane in which an abelian group of maps acts by shifts.

    Where one pair ``(u, v)`` names several points of the plane, each of them lies on a sheet of its own, and the group
    moves all sheets alike.
    """

    @property
    def sheets(self) -> int:
        """Number of sheets."""
        return 1

    @abstractmethod
    def to_plane(self, u: Tensor, v: Tensor, sheet: Tensor) -> Tensor:
        """Points ``[..., 2]`` (x1 right, x2 up) of coordinates ``[...]`` on sheets ``[...]`` (int64)."""

    @abstractmethod
    def from_plane(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates u, v and sheet, each ``[...]``, of points ``[..., 2]``; NaN where the chart does not reach."""

    def matrix(self, a: Tensor, b: Tensor) -> Tensor | None:
        """The map ``(u, v) -> (u + a, v + b)`` as projective matrices ``[..., 3, 3]``; ``None`` if it is not one.

        Only shifts along axes that the group moves are asked for; the others are zero.
        """
        return None
