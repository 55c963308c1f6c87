"""Samplings whose points lie on circles of latitude at equal steps of longitude."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.sphere.nodes import SpherePoints
from steerable.domains.sphere.ring_neighbours import ring_neighbours
from steerable.domains.sphere.sphere import Sphere
from steerable.domains.sphere.turned import turned
from steerable.groups.group import Group


@dataclass(frozen=True, eq=False)
class Rings:
    """Circles of latitude from north to south.

    Attributes:
        colatitude: ``[T]`` float64.
        count: number of samples on each, ``[T]``.
        first: longitude of the first sample of each, ``[T]``.
        weight: quadrature weight of one sample of each, ``[T]``.
    """

    colatitude: np.ndarray
    count: np.ndarray
    first: np.ndarray
    weight: np.ndarray

    @property
    def start(self) -> np.ndarray:
        """Place of the first sample of each ring in the order by rings, ``[T]``."""
        return np.cumsum(self.count) - self.count

    @property
    def turns(self) -> int:
        """By how many equal turns about the axis all rings go into themselves."""
        return int(np.gcd.reduce(self.count))


class RingSphere(Sphere):
    """A sampling by rings; its samples in the order of :attr:`ring_order` run ring by ring, eastwards."""

    @property
    @abstractmethod
    def rings(self) -> Rings:
        """The circles of latitude."""

    @property
    def ring_order(self) -> Tensor | None:
        """Number of the sample at each place of the order by rings ``[N]``; ``None`` where they are in that order."""
        return None

    @property
    def pole_rings(self) -> tuple[int, ...]:
        """Rings that are a pole, whose samples are all the same point."""
        return tuple(np.nonzero(np.sin(self.rings.colatitude) < 1e-12)[0].tolist())

    def angles(self) -> Tensor:
        """Colatitude and longitude ``[*shape, 2]``."""
        r = self.rings
        ring = np.repeat(np.arange(len(r.count)), r.count)
        longitude = r.first[ring] + (np.arange(len(ring)) - r.start[ring]) * (2 * np.pi / r.count[ring])
        return self._placed(torch.from_numpy(np.stack([r.colatitude[ring], longitude], -1)))

    def weights(self) -> Tensor:
        """Quadrature weights ``[*shape]`` of sum 4 pi."""
        return self._placed(torch.from_numpy(np.repeat(self.rings.weight, self.rings.count)))

    def meridian(self) -> SpherePoints:
        """The first sample of every ring, as targets of :meth:`neighbours`; its weights are those of the rings.

        Where all rings are of one length, every other target is one of these, turned about the axis.
        """
        r = self.rings
        return SpherePoints.from_angles(
            torch.from_numpy(np.stack([r.colatitude, r.first], -1)), torch.from_numpy(r.weight * r.count)
        )

    def _neighbours(self, radius: float, targets: Sphere) -> Neighbourhood:
        """Without a search; where the targets are the samples those of one sector are turned to all others."""
        order = self.ring_order
        if targets is self:
            return turned(
                ring_neighbours(self._sector(), self.rings, radius), self.rings.count, self.rings.turns, order
            )
        near = ring_neighbours(targets.angles().reshape(-1, 2), self.rings, radius)
        if order is None:
            return near
        source = order[near.source]
        by = (near.target * self.num_points + source).argsort()
        parts = {name: getattr(near, name)[by] for name in ("offset", "weight", "transport")}
        return replace(near, source=source[by], **parts)

    def _sector(self) -> Tensor:
        """Angles ``[N / turns, 2]`` of the first samples of each ring, of which all others are turned ones."""
        r = self.rings
        size = r.count // r.turns
        every = np.repeat(np.arange(len(size)), size)
        column = np.arange(len(every)) - np.repeat(np.cumsum(size) - size, size)
        longitude = r.first[every] + column * (2 * np.pi / r.count[every])
        return torch.from_numpy(np.stack([r.colatitude[every], longitude], -1))

    # ---- symmetries

    def is_exact(self, group: Group, g: Tensor) -> bool:
        """Whether one rotation or reflection moves samples onto samples; at once where it keeps the axis."""
        matrix = group.action(g, 3).double().numpy()
        if np.hypot(*matrix[2, :2]) < 1e-10:
            return self._steps(matrix) is not None
        return super().is_exact(group, g)

    def permutation(self, group: Group, g: Tensor) -> Tensor:
        """As of any sampling; samples of a pole move as those of the other rings do."""
        matrix = group.action(g, 3).double().numpy()
        steps = self._steps(matrix) if np.hypot(*matrix[2, :2]) < 1e-10 else None
        if steps is None:
            return super().permutation(group, g)
        ring, sign, step = steps
        r = self.rings
        here = np.repeat(np.arange(len(r.count)), r.count)
        column = np.arange(len(here)) - r.start[here]
        moved = torch.from_numpy(r.start[ring[here]] + (sign * column + step[here]) % r.count[here])
        order = self.ring_order
        return moved if order is None else torch.empty_like(moved).index_copy(0, order, order[moved])

    def _steps(self, matrix: np.ndarray) -> tuple[np.ndarray, int, np.ndarray] | None:
        """Ring to which each goes, sign and shift of its columns, for a matrix that keeps the axis; or None."""
        r = self.rings
        ring = np.arange(len(r.count))
        if matrix[2, 2] < 0:
            ring = ring[::-1]
        if np.any(r.count[ring] != r.count) or np.any(
            np.abs((r.colatitude if matrix[2, 2] > 0 else np.pi - r.colatitude) - r.colatitude[ring]) > 1e-9
        ):
            return None
        sign = 1 if np.linalg.det(matrix[:2, :2]) > 0 else -1
        turn = np.arctan2(matrix[1, 0], matrix[0, 0])  # longitude becomes turn + sign longitude
        place = (turn + sign * r.first - r.first[ring]) * r.count / (2 * np.pi)
        step = np.rint(place).astype(np.int64)
        off = np.abs(place - step) * 2 * np.pi / r.count * np.sin(r.colatitude)
        return None if np.any(off > 1e-9) else (ring, sign, step)

    def single_valued(self, x: Tensor) -> Tensor:
        """The mean over each ring that is a pole."""
        if not self.pole_rings:
            return x
        out = x.clone()
        for ring in self.pole_rings:
            out[..., ring, :] = x[..., ring, :].mean(-1, keepdim=True)
        return out

    def _placed(self, values: Tensor) -> Tensor:
        order = self.ring_order
        if order is not None:
            values = torch.empty_like(values).index_copy(0, order, values)
        return values.reshape(*self.shape, *values.shape[1:])
