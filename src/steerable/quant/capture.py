"""From any model to a graph whose leaves are layers with weights and plain layers without."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from steerable.nn.baked import Baked
from steerable.nn.module import EquivariantModule
from steerable.nn.norm import BatchNorm
from steerable.nn.sequential import Plain
from steerable.nn.steerable_map import SteerableMap


class _Root(nn.Module):
    """Calls one module with one tensor, so that optional arguments of the module are not traced."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        """Call the model."""
        return self.model(x)


class _Tracer(fx.Tracer):
    """Layers are leaves; whatever holds layers is traced through."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a call of `m` is one node."""
        if isinstance(m, nn.Sequential):
            return False
        known = (Baked, SteerableMap, BatchNorm, nn.Conv2d, nn.Linear)
        return isinstance(m, known) or not any(True for _ in m.children())


def simplify(model: nn.Module) -> nn.Module:
    """Replace, in place, every layer without weights by its plain form, and wrappers by what they hold."""
    if isinstance(model, Plain):
        return simplify(model.module)
    ordinary = getattr(model, "ordinary", None)
    if ordinary is not None and not isinstance(model, EquivariantModule):
        return ordinary()  # a baked layer in a fast form knows the ordinary one
    if isinstance(model, EquivariantModule) and not isinstance(model, SteerableMap | BatchNorm):
        if not any(True for _ in model.children()) or not any(True for _ in model.parameters()):
            return model.bake()
        object.__setattr__(model, "check_input", _nothing)
    for name, child in model.named_children():
        setattr(model, name, simplify(child))
    return model


def _nothing(*_: Any, **__: Any) -> None:
    """In place of a check of shapes, which a tracer cannot make."""


def capture(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """A graph of a copy of the model in eval, every node with the shape of its result in ``meta``.

    Args:
        model: any model of one tensor; it is not changed.
        example: an image batch ``[B, C, H, W]``.

    Raises:
        TypeError: if the forward of the model depends on values, so that it is no graph.
    """
    root = _Root(simplify(copy.deepcopy(model).eval().float())).eval()
    try:
        traced = fx.GraphModule(root, _Tracer().trace(root))
        with torch.no_grad():
            ShapeProp(traced).propagate(example)
    except Exception as problem:
        raise TypeError(
            f"quantize: {type(model).__name__} cannot be traced ({type(problem).__name__}: {problem}); expected a "
            f"forward that calls layers, adds, concatenates, pools and reshapes without looking at values"
        ) from problem
    return traced
