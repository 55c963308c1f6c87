"""Equirectangular pictures onto the vertices of an icosahedral (or any) sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.domains.sphere import Sphere, parse_sphere
from steerable.nn.constants import ConstantModule


class IcoProject(ConstantModule):
    """Bilinear values of pictures ``[B, C, H, W]`` at the samples of a sphere, ``[B, C, V]``.

    Row i has colatitude ``(i + 1/2) pi / H``, column j longitude ``(j + shift) 2 pi / W``; columns go round, and beyond
    the first and the last row lies the other side of the pole.

    Args:
        sphere: any sampling, or its name.
        height, width: of the pictures.
        shift: 1/2 for pictures whose left border is longitude 0, ``1/2 - W/2`` where their centre is.

    Raises:
        ValueError: for a picture without rows or of an odd width.
    """

    def __init__(self, sphere: Sphere | str, height: int, width: int, shift: float = 0.5) -> None:
        super().__init__()
        if height < 1 or width < 2 or width % 2:
            raise ValueError(
                f"IcoProject: pictures of {height} rows and {width} columns; expected at least one row and an even "
                f"number of columns, so that each has one opposite across the pole"
            )
        self.size = (height, width)
        sphere = parse_sphere(sphere)
        self.shape = sphere.shape
        theta, phi = sphere.angles().reshape(-1, 2).unbind(-1)
        row, column = theta * (height / math.pi) - 0.5, phi * (width / (2 * math.pi)) - shift
        index, weight = [], []
        for i in (row.floor(), row.floor() + 1):
            beyond = (i < 0) | (i >= height)
            there = torch.where(i < 0, -1 - i, torch.where(i >= height, 2 * height - 1 - i, i)).long()
            for j in (column.floor(), column.floor() + 1):
                across = (j.long() + beyond.long() * (width // 2)) % width
                index.append(there * width + across)
                weight.append((1 - (row - i).abs()) * (1 - (column - j).abs()))
        self.register_buffer("_index", torch.cat(index), persistent=False)
        self.register_constant("_weight", torch.stack(weight))

    def forward(self, image: Tensor) -> Tensor:
        """Project ``image [B, C, H, W]``.

        Raises:
            ValueError: for pictures of another size.
        """
        if not torch.compiler.is_compiling() and (image.dim() != 4 or tuple(image.shape[2:]) != self.size):
            raise ValueError(
                f"IcoProject: the picture is {list(image.shape)}; expected [B, C, {self.size[0]}, {self.size[1]}]"
            )
        batch, channels = image.shape[:2]
        found = image.flatten(2).gather(2, self._index.expand(batch, channels, -1)).unflatten(2, (4, -1))
        return (found * self._weight.to(image.dtype)).sum(2).view(batch, channels, *self.shape)

    def extra_repr(self) -> str:
        """Both sizes."""
        return f"{self.size[0]} x {self.size[1]} -> {self.shape}"


def ico_project(image: Tensor, sphere: Sphere | str, shift: float = 0.5) -> Tensor:
    """Bilinear values of equirectangular pictures ``[B, C, H, W]`` at the samples of a sphere, see `IcoProject`.

    Raises:
        ValueError: for a tensor that is no picture, or one of an odd width.
    """
    if image.dim() != 4:
        raise ValueError(f"ico_project: the picture is {list(image.shape)}; expected [B, C, H, W]")
    return IcoProject(sphere, *image.shape[2:], shift).to(image.device, image.dtype)(image)
