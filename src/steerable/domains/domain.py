"""The promise of a domain: where fields live, and how a symmetry moves its points."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from steerable.fields.type import FieldType
from steerable.groups.group import Group


class Domain(ABC):
    """A space with sampled points on which a group acts."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Axes of a sampled field after the channels."""

    @abstractmethod
    def points(self) -> Tensor:
        """Coordinates of the samples, ``[*shape, k]`` float64."""

    @abstractmethod
    def weights(self) -> Tensor:
        """Quadrature weights, broadcastable to ``shape``."""

    @abstractmethod
    def is_exact(self, group: Group, g: Tensor) -> bool:
        """Whether one element moves samples onto samples."""

    @abstractmethod
    def move(self, x: Tensor, group: Group, g: Tensor) -> Tensor:
        """``f(g^-1 p)`` at every sample: positions only, channels untouched."""

    def transform(self, x: Tensor, type: FieldType, g: Tensor) -> Tensor:
        """``[g f](p) = rho(g) f(g^-1 p)``."""
        return type.transform(self.move(x, type.group, g), g)

    def sample(
        self, batch: int, channels: int, dtype: torch.dtype = torch.float64, generator: torch.Generator | None = None
    ) -> Tensor:
        """A random field ``[batch, channels, *shape]``."""
        return torch.randn(batch, channels, *self.shape, dtype=dtype, generator=generator)
