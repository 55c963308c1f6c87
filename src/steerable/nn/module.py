"""What every equivariant layer shares: types, constants derived in float64, and checks that teach."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.eager import autocasts
from steerable.kernels.filters import Filters
from steerable.nn.constants import ConstantModule


class EquivariantModule(ConstantModule):
    """A ``torch.nn.Module`` from tensor to tensor that knows the field types of both.

    Attributes:
        in_type: type of the channels it takes.
        out_type: type of the channels it gives.
    """

    in_type: FieldType
    out_type: FieldType

    def __init__(self, in_type: FieldType, out_type: FieldType) -> None:
        super().__init__()
        self.in_type = in_type
        self.out_type = out_type

    def check_input(self, x: Tensor, spatial: int | None = None) -> None:
        """Refuse a tensor of the wrong shape. Looks at shapes only, and is silent while compiling.

        Args:
            x: ``[B, C, ...]``.
            spatial: number of axes after the channels, or ``None`` for any.

        Raises:
            TypeError: what is no tensor.
            ValueError: naming the layer, what was given, what was expected and the likely mend.
        """
        if torch.compiler.is_compiling():
            return
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{type(self).__name__}: input is of the type {type(x).__name__}; this layer expects a tensor. Say "
                "torch.as_tensor(...)"
            )
        if not (x.is_floating_point() or x.is_complex()):
            raise ValueError(
                f"{type(self).__name__}: input is {x.dtype}; this layer expects real numbers. Say x.float()"
            )
        wanted = self.in_type.size
        if spatial is not None and x.dim() == 1 + spatial and x.shape[0] == wanted:
            raise ValueError(
                f"{type(self).__name__}: input has shape {tuple(x.shape)}, one axis too few; this layer expects "
                f"a batch: pass x[None]"
            )
        if x.dim() < 2 or x.shape[1] != wanted:
            given = f"{x.shape[1]} channels" if x.dim() >= 2 else f"shape {tuple(x.shape)}"
            hint = ""
            if not self.in_type.is_trivial and x.dim() >= 2 and x.shape[1] <= 4:
                hint = f" Did you skip the lifting layer (in_type {x.shape[1]} trivial)?"
            elif x.dim() >= 2 and x.shape[-1] == wanted:
                hint = " The channels stand last: move them to axis 1."
            raise ValueError(
                f"{type(self).__name__}: input has {given}; this layer expects {wanted} = {self.in_type!r}.{hint}"
            )
        if spatial is not None and x.dim() != 2 + spatial:
            axes = {0: "[B, C]", 1: "[B, C, L]", 2: "[B, C, H, W]", 3: "[B, C, D, H, W]"}[spatial]
            raise ValueError(
                f"{type(self).__name__}: input has shape {tuple(x.shape)}; this layer expects {axes} with C = {wanted}"
            )

    def bake(self) -> nn.Module:
        """A plain module of fixed tensors and ordinary operators, equal to this one in eval.

        Raises:
            NotImplementedError: if the layer does not say how.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define bake(): return a torch.nn.Module without group "
            f"objects that computes what forward computes in eval"
        )

    def extra_repr(self) -> str:
        """Types, for printing."""
        return f"{self.in_type!r}" if self.in_type == self.out_type else f"{self.in_type!r} -> {self.out_type!r}"


def check_dtype(layer: nn.Module, x: Tensor) -> None:
    """Refuse another dtype than that of the weights, outside autocast. Raises ``ValueError`` naming both."""
    if torch.compiler.is_compiling() or autocasts(x):
        return
    own = next((p.dtype for p in layer.parameters()), x.dtype)
    if x.dtype != own:
        raise ValueError(
            f"{type(layer).__name__}: input is {x.dtype}; this layer has weights of {own}. Say x.to({own}), or "
            f"net.to({x.dtype})"
        )


def require_type(value: Any, layer: str, argument: str = "in_type") -> FieldType:
    """The value if it is a field type. Raises ``TypeError`` naming the layer, the argument and the mend."""
    if not isinstance(value, FieldType):
        raise TypeError(f"{layer}: {argument} must be a FieldType such as 16 * C8.regular, got {value!r}")
    return value


def require_same_group(layer: str, in_type: FieldType, out_type: FieldType) -> None:
    """Raise ``ValueError`` if two types belong to different groups."""
    if in_type.group != out_type.group:
        raise ValueError(
            f"{layer}: in_type belongs to {in_type.group.name} and out_type to {out_type.group.name}; "
            f"put nn.Restrict between them"
        )


def field_of_channel(type: FieldType) -> np.ndarray:
    """``[C]``: the number of the field that each channel belongs to."""
    sizes = [rep.size for rep in type.fields]
    return np.repeat(np.arange(len(sizes)), sizes)


def require_space(layer: str, in_type: FieldType, filters: Filters, dimension: int) -> None:
    """Raise unless the group of a type moves the points of R^n and the filters are functions there.

    Raises:
        TypeError: if the type is no field type.
        ValueError: if the group does not act on R^n, or the filters live elsewhere.
    """
    group = require_type(in_type, layer).group
    if not group.acts_on(dimension):
        known = {2: "C(n), D(n), SO2, O2", 3: "SO3, O3, a point group, or C(n), D(n), SO2, O2 about the third axis"}
        raise ValueError(
            f"{layer}: {group.name} does not act on {'the plane' if dimension == 2 else 'space'}; use "
            f"{known[dimension]}, or nn.Linear for pointwise maps"
        )
    if filters.dimension not in (0, dimension):
        raise ValueError(
            f"{layer}: the filters {filters!r} are functions on R^{filters.dimension}, the layer on R^{dimension}; "
            f"expected filters with dimension={dimension}"
        )
