"""The block of MobileNetV2 on regular fields: expand, filter, project, and add."""

from __future__ import annotations

from torch import Tensor, nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group
from steerable.kernels.filters import Filters
from steerable.kernels.pixels import Pixels
from steerable.models.baked_residual import FourierResidual, PlainResidual
from steerable.nn.plain_fourier import CoefficientMap, FromCoefficients, ToCoefficients, coefficient_basis, saved

_DEPTHWISE = ("orientation", "field")
_LATTICE_GROUPS = frozenset({"C1", "C2", "C4", "D1", "D2", "D4"})


def lattice_filters(group: Group, kernel_size: int) -> Filters | None:
    """The full pixel basis for symmetries of the lattice, band-limited rings (``None``) for other groups."""
    return Pixels(kernel_size) if group.name in _LATTICE_GROUPS else None


class InvertedResidual(snn.EquivariantModule):
    """``x + project(relu6(depthwise(relu6(expand(x)))))``; the sum only where stride and types allow it.

    Expand and project are 1x1 maps between regular fields, the second without a nonlinearity (a linear bottleneck).

    Args:
        in_type: regular fields.
        hidden_type: regular fields inside; equal to ``in_type`` means no expansion.
        out_type: regular fields.
        kernel_size: of the depthwise step.
        stride: of the depthwise step.
        depthwise: ``"orientation"`` or ``"field"``, see :class:`~steerable.models.mobilenet.MobileNetV2`.

    Raises:
        ValueError: for an unknown ``depthwise``.

    Source: Sandler et al., arXiv 1801.04381, section 3.
    """

    def __init__(
        self,
        in_type: FieldType,
        hidden_type: FieldType,
        out_type: FieldType,
        kernel_size: int = 3,
        stride: int = 1,
        depthwise: str = "orientation",
    ) -> None:
        if depthwise not in _DEPTHWISE:
            raise ValueError(f"InvertedResidual: got depthwise={depthwise!r}; expected one of {', '.join(_DEPTHWISE)}")
        super().__init__(in_type, out_type)
        self.hidden_type = hidden_type
        filters, padding = lattice_filters(in_type.group, kernel_size), kernel_size // 2
        if depthwise == "orientation":
            middle = snn.DepthwiseConv2d(hidden_type, kernel_size, stride, padding, bias=False, filters=filters)
        else:
            middle = snn.Conv2d(
                hidden_type,
                hidden_type,
                kernel_size,
                stride,
                padding,
                groups=hidden_type.num_fields,
                bias=False,
                filters=filters,
            )
        layers = [middle, snn.BatchNorm(hidden_type), snn.ReLU6(hidden_type, inplace=True)]
        if in_type != hidden_type:
            layers = [
                snn.Conv2d(in_type, hidden_type, 1, bias=False),
                snn.BatchNorm(hidden_type),
                snn.ReLU6(hidden_type, inplace=True),
                *layers,
            ]
        self.body = snn.Sequential(*layers, snn.Conv2d(hidden_type, out_type, 1, bias=False), snn.BatchNorm(out_type))
        self.skips = stride == 1 and in_type == out_type
        self.depthwise = depthwise

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_type.size, H, W]`` to ``[B, out_type.size, H', W']``."""
        return x + self.body(x) if self.skips else self.body(x)

    def bake(self) -> nn.Module:
        """Ordinary convolutions, or maps of coefficients where those are faster; see :func:`pays`."""
        body = snn.bake(self.body)
        if not pays(self):
            return PlainResidual(body, self.skips)
        maps = [m.ordinary() if isinstance(m, CoefficientMap) else m for m in body.modules()]
        expand, middle, project = (m for m in maps if isinstance(m, nn.Conv2d))
        basis = coefficient_basis(self.in_type.group)[0].to(middle.weight)
        core = FourierResidual(expand, middle, project, self.in_type.group, self.skips)
        return nn.Sequential(ToCoefficients(basis), core, FromCoefficients(basis))


def pays(block: InvertedResidual) -> bool:
    """Whether the basis of irreps is faster for a block on one thread: from about 64 saved products a hidden value.

    Both transforms read and write every hidden value once more; the products saved are a share of the channels of both
    ends. Measured for C4, C8, D4 and D8 on the blocks of the standard table (``benchmarks/entries/mobile.py``).
    """
    if block.depthwise != "orientation" or block.in_type == block.hidden_type:
        return False
    types = (block.in_type, block.hidden_type, block.out_type)
    if any(t.uniform != t.group.regular for t in types):
        return False
    return saved(block.in_type.group) * (block.in_type.size + block.out_type.size) >= 64
