"""Integers that are chosen or moved but never changed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.quant.step import Step


class IntMax(Step):
    """Largest integer over some axes."""

    fixed = ("dims", "keepdim")

    def __init__(self, dims: list[int], keepdim: bool) -> None:
        super().__init__()
        self.dims, self.keepdim = dims, keepdim

    def forward(self, q: Tensor) -> Tensor:
        """uint8 to uint8."""
        return q.amax(self.dims, self.keepdim)


class IntMaxPool(Step):
    """Largest integer of each window."""

    fixed = ("kernel", "stride", "padding")

    def __init__(self, kernel: list[int], stride: list[int], padding: list[int]) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, q: Tensor) -> Tensor:
        """uint8 to uint8."""
        return F.max_pool2d(q.float(), self.kernel, self.stride, self.padding).to(torch.uint8)


class Reshape(Step):
    """Another shape of the same integers; the batch stays."""

    fixed = ("shape",)

    def __init__(self, shape: list[int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, q: Tensor) -> Tensor:
        """``[B, ...]`` to ``[B, *shape]``."""
        return q.reshape(q.shape[0], *self.shape)


class Gather(Step):
    """Channels in another order."""

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.hold(order=order)

    def forward(self, q: Tensor) -> Tensor:
        """``[B, C, ...]`` to ``[B, C', ...]``."""
        return q.index_select(1, self.order)


class Pad(Step):
    """More pixels on every border: ``value``, or what ``mode`` says."""

    fixed = ("amount", "mode", "value")

    def __init__(self, amount: list[int], mode: str, value: int) -> None:
        super().__init__()
        self.amount, self.mode, self.value = amount, mode, value

    def forward(self, q: Tensor) -> Tensor:
        """uint8 to uint8; ``amount`` is left, right, top, bottom."""
        if self.mode == "constant":
            return F.pad(q, self.amount, value=self.value)
        return F.pad(q.float(), self.amount, mode=self.mode).to(torch.uint8)


class Mask(Step):
    """Pixels outside a mask set to the integer of zero."""

    fixed = ("zero",)

    def __init__(self, inside: Tensor, zero: int) -> None:
        super().__init__()
        self.hold(inside=inside)
        self.zero = zero

    def forward(self, q: Tensor) -> Tensor:
        """uint8 ``[B, C, H, W]`` to the same."""
        return torch.where(self.inside, q, torch.full_like(q, self.zero))


class Cat(Step):
    """Channels side by side."""

    fixed = ("dim",)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *q: Tensor) -> Tensor:
        """uint8 to uint8."""
        return torch.cat(q, self.dim)
