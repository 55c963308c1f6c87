"""Steerable kernels as equivariant networks of the offset and of whatever else is known of a pair."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.kernels.filters import Filters
from steerable.kernels.implicit import coordinate_type, matrix_index, matrix_type
from steerable.kernels.rings import GaussianRings
from steerable.nn.bake import bake
from steerable.nn.mlp import hidden_type, mlp
from steerable.nn.module import EquivariantModule, require_space, require_type


class ImplicitKernel(EquivariantModule):
    """``K(x, z) = unvec k(x, z)`` with an equivariant network k: steerable for any group, with attributes of any type.

    The network sees the offset through shells and harmonics, the scalar functions of the analytic kernels, so that with
    degrees up to those of input plus output it reaches all of them; a Gaussian of learned width ends it at the cut-off.

    Args:
        in_type: type of the features that the kernel takes.
        out_type: type of those it gives.
        cutoff: distance at which the shells end, in the units of the offsets.
        attributes: type of further input for each pair (bond types, distances, velocities), or ``None``.
        dimension: of the space, 2 or 3; by default the one the group is given on.
        shells: number of radial functions.
        degree: largest degree of the harmonics; by default that of input plus output, at most 4.
        hidden: type of the hidden layers; by default about ``channels`` channels, see ``nn.hidden_type``.
        channels: about how many channels a hidden layer has.
        layers: linear maps of the network.
        net: an equivariant module of your own in place of the network, from ``kernel.in_type`` to ``kernel.out_type``.

    Attributes:
        in_type: coordinates, then attributes.
        out_type: the matrices as a field, see :func:`steerable.kernels.implicit.matrix_type`.

    Raises:
        ValueError: for types of different groups, a group that does not act on the space, a network of other types.

    Source: Zhdanov, Hoffmann and Cesa, "Implicit Convolutional Kernels for Steerable CNNs", NeurIPS 2023, arXiv
    2212.06096. There a batch norm stands inside the kernel, which makes its values depend on the other pairs of a
    batch; here it is a layer norm.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        cutoff: float,
        attributes: FieldType | None = None,
        dimension: int | None = None,
        shells: int = 3,
        degree: int | None = None,
        hidden: FieldType | None = None,
        channels: int = 32,
        layers: int = 3,
        net: nn.Module | None = None,
    ) -> None:
        group = require_type(in_type, "ImplicitKernel").group
        n = group.dimension if dimension is None else dimension
        top = max((b.rep.frequency for t in (in_type, out_type) for b in t.blocks), default=0)
        degree = min(4, 2 * top) if degree is None else degree
        degree = max(degree, 2) if group.is_finite else degree
        filters = GaussianRings.for_points(2 * shells - 1, (0,) + (degree,) * (shells - 1), n)
        require_space("ImplicitKernel", in_type, filters, n)
        seen = coordinate_type(filters, group)
        if attributes is not None:
            seen = seen + require_type(attributes, "ImplicitKernel", "attributes")
        matrices = matrix_type(in_type, require_type(out_type, "ImplicitKernel", "out_type"))
        super().__init__(seen, matrices)
        if layers < 2:
            raise ValueError(f"ImplicitKernel: layers is {layers}; expected at least 2, else the kernel is analytic")
        self.filters, self.cutoff, self.dimension = filters, float(cutoff), n
        self.attributes = attributes
        self.fields = (in_type, out_type)
        if net is None:
            wide = hidden_type(group, channels, max(degree, 1)) if hidden is None else hidden
            net = mlp(seen, [wide] * (layers - 1), matrices, norm=True)
        given = (getattr(net, "in_type", seen), getattr(net, "out_type", matrices))
        if given != (seen, matrices):
            raise ValueError(
                f"ImplicitKernel: the net maps {given[0]!r} to {given[1]!r}; expected {seen!r} to {matrices!r}"
            )
        self.net = net
        self.log_width = nn.Parameter(torch.tensor(math.log(0.5)))
        self.scale = 1 / math.sqrt(max(in_type.size, 1))
        with torch.inference_mode(False):
            index = torch.from_numpy(matrix_index(in_type, out_type).astype(np.int64))
        self.register_buffer("_index", index, persistent=False)

    def forward(self, offsets: Tensor, attributes: Tensor | None = None) -> Tensor:
        """Matrices ``[E, C_out, C_in]`` at ``offsets [E, n]`` with ``attributes [E, attributes.size]``.

        Raises:
            ValueError: attributes that are missing, not expected, or of another size.
        """
        if not torch.compiler.is_compiling():
            self._check(offsets, attributes)
        values = coordinates(self.filters, self.cutoff, offsets, attributes)
        return assemble(self.net(values), offsets, self._index, self.log_width, self.cutoff, self.scale, self._shape)

    @property
    def _shape(self) -> tuple[int, int]:
        return self.fields[1].size, self.fields[0].size

    def _check(self, offsets: Tensor, attributes: Tensor | None) -> None:
        wanted = 0 if self.attributes is None else self.attributes.size
        given = 0 if attributes is None else attributes.shape[-1]
        if given != wanted or (attributes is not None and len(attributes) != len(offsets)):
            shape = None if attributes is None else tuple(attributes.shape)
            raise ValueError(
                f"ImplicitKernel: attributes are {shape} for {len(offsets)} pairs; expected "
                f"{(len(offsets), wanted) if wanted else None} = {self.attributes!r}"
            )

    def bake(self) -> nn.Module:
        """The same without types."""
        net = bake(self.net)
        return PlainImplicitKernel(net, self.filters, self.cutoff, self.log_width, self.scale, self._index, self._shape)


class PlainImplicitKernel(nn.Module):
    """An implicit kernel without types."""

    def __init__(
        self,
        net: nn.Module,
        filters: Filters,
        cutoff: float,
        log_width: Tensor,
        scale: float,
        index: Tensor,
        shape: tuple[int, int],
    ) -> None:
        super().__init__()
        self.net, self.filters, self.cutoff, self.scale, self.shape = net, filters, cutoff, scale, shape
        self.register_buffer("log_width", log_width.detach().clone())
        self.register_buffer("index", index.clone())

    def forward(self, offsets: Tensor, attributes: Tensor | None = None) -> Tensor:
        """Matrices ``[E, C_out, C_in]``."""
        values = coordinates(self.filters, self.cutoff, offsets, attributes)
        return assemble(self.net(values), offsets, self.index, self.log_width, self.cutoff, self.scale, self.shape)


def coordinates(filters: Filters, cutoff: float, offsets: Tensor, attributes: Tensor | None) -> Tensor:
    """What the network sees of each pair ``[E, C]``: scalar functions of the offset, then attributes."""
    shells = len(filters.radii) if isinstance(filters, GaussianRings) else 1
    values = filters.values(offsets * (shells / cutoff))
    return values if attributes is None else torch.cat([values, attributes], 1)


def assemble(
    field: Tensor,
    offsets: Tensor,
    index: Tensor,
    log_width: Tensor,
    cutoff: float,
    scale: float,
    shape: tuple[int, int],
) -> Tensor:
    """From the field ``[E, C_out * C_in]`` to matrices ``[E, C_out, C_in]`` under a Gaussian of learned width."""
    square = offsets.square().sum(-1) / cutoff**2
    window = torch.exp(-square / (2 * torch.exp(2 * log_width))) * scale
    return (field.index_select(1, index) * window[:, None]).view(-1, *shape)
