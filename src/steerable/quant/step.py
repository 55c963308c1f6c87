"""One operation of an integer network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Step(nn.Module):
    """One operation on integers; `config` and the buffers of the state dict say everything about it.

    Attributes:
        fixed: names of the arguments that are no tensors.
    """

    fixed: tuple[str, ...] = ()

    def config(self) -> dict[str, Any]:
        """Arguments that are no tensors: plain numbers, strings, lists."""
        return {name: getattr(self, name) for name in self.fixed}

    def hold(self, **tensors: Tensor) -> None:
        """Keep tensors as buffers of the state dict."""
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Step:
        before = {name: b.dtype for name, b in self.named_buffers(recurse=False)}
        super()._apply(fn, recurse)
        for name, b in self.named_buffers(recurse=False):
            if b.dtype != before[name]:
                raise TypeError(
                    f"{type(self).__name__}: {name} became {b.dtype}; expected {before[name]}: an integer network has "
                    f"one arithmetic. Move it with .to(device) only, and quantise again to undo this"
                )
        return self

    def extra_repr(self) -> str:
        """Arguments, for printing."""
        return ", ".join(f"{k}={v}" for k, v in self.config().items())


def number(value: float, like: Tensor) -> Tensor:
    """A float32 number on a device: division by it is a division there, not a product with its inverse."""
    return torch.tensor(value, dtype=torch.float32, device=like.device)
