"""Pointwise functions by name, each with its derivative as a differentiable operator.

The derivative is the library's own backward operator: it makes no boolean mask in memory, can write into a buffer,
and can itself be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_aten = torch.ops.aten


class PointwiseFunction(NamedTuple):
    """A function f of one variable.

    Attributes:
        value: s -> f(s).
        backward: (g, s, **out) -> g * f'(s); ``grad_input=`` names a buffer for the result.
        odd: f(-s) = -f(s) exactly.
    """

    value: Callable[[Tensor], Tensor]
    backward: Callable[..., Tensor]
    odd: bool = False


def _relu(g: Tensor, s: Tensor, **out: Any) -> Tensor:
    return _aten.threshold_backward(g, s, 0, **out)


def _elu(g: Tensor, s: Tensor, **out: Any) -> Tensor:
    return _aten.elu_backward(g, 1.0, 1.0, 1.0, False, s, **out)


def _leaky_relu(g: Tensor, s: Tensor, **out: Any) -> Tensor:
    return _aten.leaky_relu_backward(g, s, 0.01, False, **out)


def _silu(g: Tensor, s: Tensor, **out: Any) -> Tensor:
    if out:
        return _aten.silu_backward(g, s, **out)
    sigma = torch.sigmoid(s)  # the library's operator has no derivative of its own
    return g * sigma * (1 + s * (1 - sigma))


def _gelu(g: Tensor, s: Tensor, **out: Any) -> Tensor:
    return _aten.gelu_backward(g, s, **out)


def _softplus(g: Tensor, s: Tensor, **out: Any) -> Tensor:
    return _aten.softplus_backward(g, s, 1.0, 20.0, **out)


def _sigmoid(g: Tensor, s: Tensor, **out: Any) -> Tensor:
    return _aten.sigmoid_backward(g, torch.sigmoid(s), **out)


def _tanh(g: Tensor, s: Tensor, **out: Any) -> Tensor:
    return _aten.tanh_backward(g, torch.tanh(s), **out)


POINTWISE_FUNCTIONS: dict[str, PointwiseFunction] = {
    "relu": PointwiseFunction(torch.relu, _relu),
    "elu": PointwiseFunction(F.elu, _elu),
    "leaky_relu": PointwiseFunction(F.leaky_relu, _leaky_relu),
    "silu": PointwiseFunction(F.silu, _silu),
    "gelu": PointwiseFunction(F.gelu, _gelu),
    "softplus": PointwiseFunction(F.softplus, _softplus),
    "sigmoid": PointwiseFunction(torch.sigmoid, _sigmoid),
    "tanh": PointwiseFunction(torch.tanh, _tanh, odd=True),
}


def pointwise_function(name: str) -> PointwiseFunction:
    """The function called `name`.

    Raises:
        ValueError: if there is none; the message lists the names.
    """
    if name not in POINTWISE_FUNCTIONS:
        raise ValueError(
            f"no function {name!r}; choose one of {', '.join(sorted(POINTWISE_FUNCTIONS))} or pass a callable."
        )
    return POINTWISE_FUNCTIONS[name]
