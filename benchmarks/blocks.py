"""The networks that several entries share. One class serves both sides: only the layers handed to it differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

SEED = 0


class Residual(nn.Module):
    """``act(x + body(x))``; [B, C, H, W] -> [B, C, H, W]. A chain as body lets both sides fold their batch norms."""

    def __init__(self, body: nn.Module, act: nn.Module) -> None:
        super().__init__()
        self.body, self.act = body, act

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to ``x`` [B, C, H, W]."""
        return self.act(x + self.body(x))


def plain_block(channels: int, kernel_size: int = 3) -> Residual:
    """The plain twin: convolutions without bias, batch norm, ReLU out of place, as in the steerable block."""

    def conv() -> nn.Module:
        return nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, bias=False)

    def norm() -> nn.Module:
        return nn.BatchNorm2d(channels)

    return Residual(nn.Sequential(conv(), norm(), nn.ReLU(), conv(), norm()), nn.ReLU())


def steerable_block(fields: int, order: int = 8, kernel_size: int = 3) -> Residual:
    """The block over ``fields`` regular fields of C(order): fields * order channels."""
    import steerable as st

    t = fields * st.C(order).regular

    def conv() -> nn.Module:
        return st.nn.Conv2d(t, t, kernel_size=kernel_size, padding=kernel_size // 2, bias=False)

    def norm() -> nn.Module:
        return st.nn.BatchNorm(t)

    return Residual(st.nn.Sequential(conv(), norm(), st.nn.ReLU(t), conv(), norm()), st.nn.ReLU(t))


class Holder(nn.Module):
    """One layer in a module of our own: the compiler skips the forward of a bare layer of the library."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        return self.layer(x)


def compiled(net: nn.Module) -> nn.Module:
    """``net`` compiled into one graph of fixed shapes."""
    held = Holder(net)
    held.compile(fullgraph=True, dynamic=False)
    return held


def images(batch: int, channels: int, side: int = 32, dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal noise [batch, channels, side, side] from a fixed seed."""
    return torch.randn(batch, channels, side, side, generator=torch.Generator().manual_seed(SEED), dtype=dtype)


def training_step(net: nn.Module, x: Tensor) -> Callable[[], object]:
    """A step of stochastic gradient descent on the mean square of the output: forward, backward, update."""
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        net(x).square().mean().backward()
        optimiser.step()

    return step


def forward_only(net: nn.Module, x: Tensor) -> Callable[[], object]:
    """Inference on ``x``, without a graph."""

    def infer() -> Tensor:
        with torch.no_grad():
            return net(x)

    return infer


def forward_backward(net: nn.Module, x: Tensor) -> Callable[[], object]:
    """Forward and backward with respect to the input and every parameter; gradients are returned, not accumulated."""
    leaf = x.detach().clone().requires_grad_()
    wanted = (leaf, *(p for p in net.parameters() if p.requires_grad))
    cotangent: list[Tensor] = []

    def both() -> Any:
        y = net(leaf)
        if not cotangent:
            cotangent.append(torch.randn(y.shape, generator=torch.Generator().manual_seed(SEED + 1), dtype=y.dtype))
        return torch.autograd.grad(y, wanted, cotangent[0])

    return both
