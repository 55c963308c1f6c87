"""Which unit stands for which layer, function or method: explicit tables."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

import steerable.nn as snn
from steerable.nn.baked import Baked
from steerable.nn.basis_change import PlainChange
from steerable.nn.blur import PlainBlur, exact_kernel
from steerable.nn.group_pool import group_pool
from steerable.nn.linear import PlainLinear
from steerable.nn.mask import PlainDiscMask
from steerable.nn.norm import BatchNorm
from steerable.nn.steerable_map import SteerableMap
from steerable.quant.linear_unit import Geometry, LinearUnit
from steerable.quant.moves import Gather, Mask, Pad, Reshape
from steerable.quant.units import Function, Join, Largest, LargestInWindow, LargestOfField, Mean, Move, Sum, Unit

POINTWISE = (
    nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.ELU, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Softplus, nn.Sigmoid, nn.Tanh,
    nn.Hardswish, nn.Hardsigmoid,
)  # fmt: skip
_PADS = {
    nn.ZeroPad2d: "constant", nn.ConstantPad2d: "constant", nn.ReflectionPad2d: "reflect",
    nn.ReplicationPad2d: "replicate", nn.CircularPad2d: "circular",
}  # fmt: skip


_FORWARDS = (snn.Conv2d.forward, snn.Linear.forward, nn.Conv2d.forward, nn.Linear.forward, PlainLinear.forward)


def is_linear(module: nn.Module) -> bool:
    """Whether a layer is a convolution or linear map by filter and bias alone, and no class that does more."""
    return isinstance(module, SteerableMap | nn.Conv2d | nn.Linear) and type(module).forward in _FORWARDS


def is_norm(module: nn.Module | None) -> bool:
    """Whether a layer is a batch norm."""
    return isinstance(module, BatchNorm | nn.BatchNorm1d | nn.BatchNorm2d)


def shape(node: Any) -> list[int]:
    """Shape of the result of a node, batch included."""
    return list(node.meta["tensor_meta"].shape)


def _source(node: fx.Node) -> list[int]:
    return shape(node.all_input_nodes[0])


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def linear_unit(module: nn.Module, norm: nn.Module | None, node: fx.Node) -> LinearUnit | None:
    """The unit of a layer with weights, or ``None`` for one that has no integer form."""
    rank = len(_source(node))
    if is_norm(module):
        channels = _source(node)[1]
        return LinearUnit(None, module, Geometry(groups=channels)) if rank == 4 else None
    if isinstance(module, nn.Linear) or len(getattr(module, "_shape", (0, 0, 0))) == 2:
        return LinearUnit(module, norm, None) if rank == 2 else None
    if getattr(module, "padding_mode", "zeros") != "zeros" or not isinstance(module, SteerableMap | nn.Conv2d):
        return None
    if isinstance(module.padding, str):
        return None
    window = (_pair(module.stride), _pair(module.padding), _pair(module.dilation))  # type: ignore[arg-type]
    return LinearUnit(module, norm, Geometry(*window, int(module.groups)))  # type: ignore[arg-type]


def bounds(node: fx.Node, module: nn.Module | None) -> tuple[float, float] | None:
    """Ends of the cut that a node makes, or ``None`` if it is no cut."""
    if type(module) is nn.ReLU or node.target in (torch.relu, torch.relu_, F.relu, F.relu_, "relu", "relu_"):
        return 0.0, math.inf
    if isinstance(module, nn.Hardtanh):  # and ReLU6
        return float(module.min_val), float(module.max_val)
    return (0.0, 6.0) if node.target is F.relu6 else None


def module_units(module: nn.Module, node: fx.Node) -> list[Unit] | None:
    """Units of a layer without weights; an empty list for one that does nothing."""
    if isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):
        return []
    if isinstance(module, POINTWISE):
        return [Function(module)]
    if isinstance(module, nn.MaxPool2d):
        if module.ceil_mode or _pair(module.dilation) != (1, 1):
            return None
        sizes = (module.kernel_size, module.stride, module.padding)
        return [LargestInWindow(*(list(_pair(s)) for s in sizes))]
    if isinstance(module, nn.AvgPool2d):
        return _average(module, node)
    if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        return _adaptive(module, node)
    if isinstance(module, nn.Flatten):
        return [Move(Reshape(shape(node)[1:]))]
    if type(module) in _PADS and not getattr(module, "value", 0):
        p = module.padding
        mode = _PADS[type(module)]
        return None if mode == "circular" else [Move(Pad([p] * 4 if isinstance(p, int) else list(p), mode, 0))]
    if isinstance(module, PlainBlur):
        return _blur(module, node)
    if isinstance(module, PlainDiscMask):
        inside = module(torch.ones(1, 1, *_source(node)[2:]))[0, 0] > 0
        return [Move(Mask(inside, 0))]
    if isinstance(module, PlainChange) and all(getattr(module, f"matrix_{k}") is None for k in range(module.blocks)):
        return [Move(Reshape(shape(node)[1:]) if module.order is None else Gather(module.order))]
    if isinstance(module, Baked) and module.function is group_pool:
        return _group_pool(module, node)
    return None


def _group_pool(module: Baked, node: fx.Node) -> list[Unit] | None:
    shapes, function = module.options
    space = _source(node)[2:]
    if function == "max":
        return [LargestOfField(shapes, space)]
    if len(shapes) > 1:
        return None
    m, d = shapes[0]
    return [Move(Reshape([m, d, *space])), Mean([2], False, d)]


def _average(module: nn.AvgPool2d, node: fx.Node) -> list[Unit] | None:
    k, stride, padding = _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
    if module.ceil_mode or module.divisor_override or (padding != (0, 0) and not module.count_include_pad):
        return None
    channels = _source(node)[1]
    window = torch.full((channels, 1, *k), 1.0 / (k[0] * k[1]))
    return [LinearUnit(None, None, Geometry(stride, padding, (1, 1), channels), window)]


def _blur(module: PlainBlur, node: fx.Node) -> list[Unit]:
    _, channels, *sides = _source(node)
    sizes = [
        exact_kernel(s, module.base, module.stride, module.padding) if module.fitted else module.base for s in sides
    ]
    rows, columns = (getattr(module, f"taps_{k}") for k in sizes)
    window = (rows[:, None] * columns).expand(channels, 1, -1, -1).clone()
    return [LinearUnit(None, None, Geometry(_pair(module.stride), _pair(module.padding), (1, 1), channels), window)]


def _adaptive(module: Any, node: fx.Node) -> list[Unit] | None:
    if _pair(module.output_size) != (1, 1):
        return None
    _, _, height, width = _source(node)
    if isinstance(module, nn.AdaptiveMaxPool2d):
        return [Largest([2, 3], True)]
    return [Mean([2, 3], True, height * width)]


def _axes(node: fx.Node, names: tuple[str, ...]) -> tuple[list[int], bool]:
    """Axes (from 0) and ``keepdim`` of a reduction."""
    given = next((node.kwargs[n] for n in names if n in node.kwargs), node.args[1] if len(node.args) > 1 else None)
    rank = len(_source(node))
    dims = list(range(rank)) if given is None else [given] if isinstance(given, int) else list(given)  # type: ignore
    keep = bool(node.kwargs.get("keepdim", node.args[2] if len(node.args) > 2 else False))
    return [d % rank for d in dims], keep


def _mean(node: fx.Node) -> list[Unit] | None:
    dims, keep = _axes(node, ("dim", "axis"))
    return None if 0 in dims else [Mean(dims, keep, math.prod(_source(node)[d] for d in dims))]


def _amax(node: fx.Node) -> list[Unit] | None:
    dims, keep = _axes(node, ("dim", "axis"))
    return None if 0 in dims else [Largest(dims, keep)]


def _add(node: fx.Node) -> list[Unit] | None:
    both = [a for a in node.args if isinstance(a, fx.Node)]
    same = len(both) == 2 and shape(both[0]) == shape(both[1]) and not node.kwargs
    return [Sum(-math.inf, math.inf)] if same else None


def _cat(node: fx.Node) -> list[Unit] | None:
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    rank = len(shape(node))
    return None if not isinstance(dim, int) or dim % rank == 0 else [Join(dim % rank)]


def _reshape(node: fx.Node) -> list[Unit] | None:
    before, after = _source(node), shape(node)
    return [Move(Reshape(after[1:]))] if before[0] == after[0] else None


def _same(function: Callable[[Tensor], Tensor]) -> Callable[[fx.Node], list[Unit] | None]:
    return lambda node: [Function(function)] if len(node.args) == 1 else None


_SHAPES = ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "contiguous", "clone")
METHODS: dict[str, Callable[[fx.Node], list[Unit] | None]] = {
    **dict.fromkeys(_SHAPES, _reshape), "mean": _mean, "amax": _amax, "add": _add, "add_": _add,
    "relu": _same(torch.relu), "relu_": _same(torch.relu), "sigmoid": _same(torch.sigmoid), "tanh": _same(torch.tanh),
}  # fmt: skip
FUNCTIONS: dict[Any, Callable[[fx.Node], list[Unit] | None]] = {
    operator.add: _add, operator.iadd: _add, torch.add: _add, torch.cat: _cat, torch.mean: _mean, torch.amax: _amax,
    torch.flatten: _reshape, torch.reshape: _reshape, torch.relu: _same(torch.relu), F.relu: _same(torch.relu),
    F.relu6: _same(F.relu6), F.elu: _same(F.elu), F.silu: _same(F.silu), F.gelu: _same(F.gelu),
    torch.sigmoid: _same(torch.sigmoid), torch.tanh: _same(torch.tanh), F.dropout: lambda node: _reshape(node),
}  # fmt: skip
