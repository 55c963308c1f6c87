"""Samplings whose points lie on circles of latitude at equal steps of longitude."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere.sphere import Sphere


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

    def angles(self) -> Tensor:
        """Colatitude and longitude ``[*shape, 2]``."""
        r = self.rings
        theta = np.repeat(r.colatitude, r.count)
        step = np.concatenate([f + 2 * np.pi * np.arange(n) / n for f, n in zip(r.first, r.count, strict=True)])
        return self._placed(torch.from_numpy(np.stack([theta, step], -1)))

    def weights(self) -> Tensor:
        """Quadrature weights ``[*shape]`` of sum 4 pi."""
        return self._placed(torch.from_numpy(np.repeat(self.rings.weight, self.rings.count)))

    def _placed(self, values: Tensor) -> Tensor:
        order = self.ring_order
        if order is not None:
            values = torch.empty_like(values).index_copy(0, order, values)
        return values.reshape(*self.shape, *values.shape[1:])
