"""A layer turned into a function and its fixed tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class Baked(nn.Module):
    """``function(x, *options, **tensors)`` as a plain module: what `bake` returns for layers that are one function.

    Args:
        function: a function of a module, so that the result pickles.
        options: its fixed arguments after the input: numbers, strings, tuples.
        tensors: its tensor arguments by name; they become buffers. ``None`` is passed on.
    """

    def __init__(self, function: Callable[..., Tensor], *options: Any, **tensors: Tensor | None) -> None:
        super().__init__()
        self.function, self.options, self.names = function, options, tuple(tensors)
        for name, tensor in tensors.items():
            self.register_buffer(name, None if tensor is None else tensor.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """The function of `x`."""
        return self.function(x, *self.options, **{name: getattr(self, name) for name in self.names})

    def extra_repr(self) -> str:
        """Name of the function, for printing."""
        return self.function.__name__
