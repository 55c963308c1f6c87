"""A tensor together with what it means: its type and its domain. It can be transformed."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from steerable.domains.domain import Domain
from steerable.domains.grid import PixelGrid
from steerable.domains.voxels import VoxelGrid
from steerable.fields.type import FieldType


@dataclass(frozen=True, eq=False)
class Field:
    """A sampled field.

    Attributes:
        tensor: ``[B, C, *domain.shape]``, or ``[B, C, ...]`` where the group leaves positions alone.
        type: what the channels mean.
        domain: where the samples lie, or ``None`` if the group acts on the channels only.

    Raises:
        ValueError: if tensor, type and domain do not fit.
    """

    tensor: Tensor
    type: FieldType
    domain: Domain | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.tensor.shape)
        wanted = () if self.domain is None else self.domain.shape
        if len(shape) < 2 or shape[1] != self.type.size or (self.domain is not None and shape[2:] != wanted):
            raise ValueError(
                f"Field: a tensor of shape {shape} does not fit {self.type!r} with {self.type.size} channels on "
                f"{self.domain or 'no domain'}; expected [B, {self.type.size}, {', '.join(map(str, wanted))}]"
            )

    @classmethod
    def of(cls, x: Tensor, type: FieldType) -> Field:
        """A field on the domain that its shape suggests: pixels for ``[B, C, H, W]`` under a group of the plane, voxels
        for ``[B, C, D, H, W]`` under one of space.
        """
        grid: Domain | None = None
        if x.dim() == 4 and type.group.is_planar:
            grid = PixelGrid.of(x)
        elif x.dim() == 5 and type.group.acts_on(3):
            grid = VoxelGrid.of(x)
        return cls(x, type, grid)

    def is_exact(self, g: Tensor) -> bool:
        """Whether ``g`` moves samples onto samples, so that nothing is interpolated."""
        return self.domain is None or self.domain.is_exact(self.type.group, g)

    def transform(self, g: Tensor) -> Field:
        """``[g f](p) = rho(g) f(g^-1 p)`` for one element."""
        if self.domain is None:
            return Field(self.type.transform(self.tensor, g), self.type)
        return Field(self.domain.transform(self.tensor, self.type, g), self.type, self.domain)
