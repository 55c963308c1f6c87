"""Baked 1x1 maps between regular fields in the basis of irreps, where they are block-diagonal and so cheaper.

The channels stand coefficient by coefficient, ``[B, |G| * fields, ...]`` with the coefficient outermost: then the
transform of a whole map is one matrix product, and the block of each irrep is one run of channels.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from steerable.aggregate.paths import runs_eagerly
from steerable.fields.type import FieldType
from steerable.groups import Group

#: ``(size, count)`` of runs of equal blocks, in the order of the coefficients
Runs = tuple[tuple[int, int], ...]


def coefficient_basis(group: Group) -> tuple[Tensor, Runs]:
    """Orthogonal ``[|G|, |G|]`` from coefficients (columns) to values, float64, and the blocks of every map.

    Columns are ordered by irrep, component, copy. An irrep of real type gives a block for each component, all alike,
    any other one block. Blocks of one coefficient are joined in pairs, the trivial irrep in the first: a few zeros are
    multiplied, but one batched product then serves most groups.
    """
    regular = group.regular
    q = torch.from_numpy(regular.basis.copy())
    blocks: list[list[int]] = []
    for id in dict.fromkeys(regular.irreps):
        starts = [s for (s, _), i in zip(regular.irrep_slices, regular.irreps, strict=True) if i == id]
        info = group.irrep_info(id)
        rows = [[s + k for s in starts] for k in range(info.dim)]
        blocks += rows if info.type == 1 else [[c for row in rows for c in row]]
    ones = [c for b in blocks if len(b) == 1 for c in b]  # the trivial irrep is the first
    blocks = [ones[i : i + 2] for i in range(0, len(ones), 2)] + [b for b in blocks if len(b) > 1]
    blocks[1:] = sorted(blocks[1:], key=len)
    runs: list[tuple[int, int]] = []
    for b in blocks:
        again = bool(runs) and runs[-1][0] == len(b)
        runs[-1:] = [(len(b), runs[-1][1] + 1)] if again else [*runs[-1:], (len(b), 1)]
    return q[:, [c for b in blocks for c in b]], tuple(runs)


def saved(group: Group) -> float:
    """Share of the products of a map between regular fields that blocks leave out: 3/4 for C8, 7/8 for D8."""
    order = group.order or 1
    return 1 - sum(size * size * count for size, count in coefficient_basis(group)[1]) / order**2


def spin(x: Tensor, matrix: Tensor) -> Tensor:
    """``matrix [d, d]`` on the outermost of the ``d`` parts of the channels of ``x [B, d * fields, H, W]``."""
    parts = x.reshape(x.shape[0], matrix.shape[0], -1)
    if not torch.compiler.is_compiling() and len(x) == 1:
        return (matrix @ parts[0]).view(x.shape)
    return torch.matmul(matrix, parts).view(x.shape)


class ToCoefficients(nn.Module):
    """Regular fields, field by field, to coefficients, coefficient by coefficient.

    Args:
        basis: from :func:`coefficient_basis`.
    """

    def __init__(self, basis: Tensor) -> None:
        super().__init__()
        self.register_buffer("basis", basis)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, fields * |G|, H, W]`` to ``[B, |G| * fields, H, W]``."""
        order = self.basis.shape[0]
        parts = x.reshape(x.shape[0], -1, order, x.shape[2] * x.shape[3])
        return torch.einsum("gc,bfgs->bcfs", self.basis, parts).reshape(x.shape)

    def ordinary(self) -> nn.Module:
        """Nothing: the dense forms of the maps around take fields."""
        return nn.Identity()


class FromCoefficients(ToCoefficients):
    """The way back."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B, |G| * fields, H, W]`` to ``[B, fields * |G|, H, W]``."""
        order = self.basis.shape[0]
        parts = x.reshape(x.shape[0], order, -1, x.shape[2] * x.shape[3])
        return torch.einsum("gc,bcfs->bfgs", self.basis, parts).reshape(x.shape)


class CoefficientMap(nn.Module):
    """A 1x1 convolution of regular fields, block by block on coefficients.

    Args:
        weight: the dense filter ``[fields_out * |G|, fields_in * |G|]``, field-major.
        bias: ``[fields_out * |G|]``, equal within fields, or ``None``.
        basis, runs: from :func:`coefficient_basis`.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, basis: Tensor, runs: Runs) -> None:
        super().__init__()
        self.order, self.runs = len(basis), runs
        q = basis.to(torch.float64)
        full = weight.double().view(-1, self.order, weight.shape[1] // self.order, self.order)
        turned = torch.einsum("gc,ogih,hd->codi", q, full, q)  # coefficient, field; coefficient, field
        self.fields = (turned.shape[1], turned.shape[3])
        self.register_buffer("basis", basis)
        start = 0
        for k, (size, count) in enumerate(runs):
            found = [turned[s : s + size, :, s : s + size] for s in range(start, start + size * count, size)]
            stacked = torch.stack([b.reshape(size * self.fields[0], size * self.fields[1]) for b in found])
            self.register_parameter(f"weight_{k}", nn.Parameter(stacked.to(weight.dtype)))
            start += size * count
        size, count = runs[0]
        self.bias = None
        if bias is not None:  # a constant over the group is a multiple of the trivial coefficient, the first
            held = torch.zeros(count, size, self.fields[0], 1, dtype=torch.float64)
            held[0, 0, :, 0] = bias.double().view(-1, self.order) @ q[:, 0]
            self.bias = nn.Parameter(held.flatten(1, 2).to(weight.dtype))

    def _weights(self) -> list[Tensor]:
        return [self._parameters[f"weight_{k}"] for k in range(len(self.runs))]  # type: ignore[misc]

    def forward(self, x: Tensor) -> Tensor:
        """``[B, |G| * fields_in, H, W]`` to ``[B, |G| * fields_out, H, W]``."""
        batch, _, height, width = x.shape
        n_out, n_in = self.fields
        # the batch is asked for last: a program for any batch must not depend on it
        if not torch.is_grad_enabled() and not torch.compiler.is_compiling() and runs_eagerly(x) and batch == 1:
            y = x.new_empty(1, self.order * n_out, height, width)
            self.multiply(x.reshape(-1, height * width), None, y.view(-1, height * width))
            return y
        parts = x.reshape(batch, self.order * n_in, height * width).split([s * c * n_in for s, c in self.runs], 1)
        found = []
        for k, ((size, count), weight, part) in enumerate(zip(self.runs, self._weights(), parts, strict=True)):
            y = torch.matmul(weight, part.reshape(batch, count, size * n_in, -1))
            y = y if k or self.bias is None else y + self.bias
            found.append(y.reshape(batch, size * count * n_out, -1))
        return (found[0] if len(found) == 1 else torch.cat(found, 1)).view(batch, self.order * n_out, height, width)

    def blocks(self, x: Tensor) -> Tensor:
        """``[blocks, size * fields_in, pixels]`` to ``[blocks, size * fields_out, pixels]``, if there is one run."""
        weight = cast(Tensor, self._parameters["weight_0"])
        return torch.bmm(weight, x) if self.bias is None else torch.baddbmm(self.bias, weight, x)

    def multiply(self, x: Tensor, fields: slice | None, out: Tensor) -> None:
        """Some output fields of ``x [|G| * fields_in, pixels]``, written to ``out [|G| * fields, pixels]``."""
        n_out, n_in = self.fields
        kept = n_out if fields is None else fields.stop - fields.start
        start = 0
        for k, ((size, count), rows) in enumerate(zip(self.runs, self._weights(), strict=True)):
            stop, bias = start + size * count, None if k else self.bias
            if fields is not None:
                rows = rows.view(count, size, n_out, -1)[:, :, fields].flatten(1, 2)
                bias = None if bias is None else bias.view(count, size, n_out, 1)[:, :, fields].flatten(1, 2)
            into = x[start * n_in : stop * n_in].view(count, size * n_in, -1)
            target = out[start * kept : stop * kept].view(count, size * kept, -1)
            if bias is None:
                torch.bmm(rows, into, out=target)
            else:
                torch.baddbmm(bias, rows, into, out=target)
            start = stop

    def accumulate(self, x: Tensor, fields: slice | None, out: Tensor) -> None:
        """Add to ``out [|G| * fields_out, pixels]`` what input fields ``x [|G| * fields, pixels]`` give; no bias."""
        n_out, n_in = self.fields
        kept = n_in if fields is None else fields.stop - fields.start
        start = 0
        for (size, count), rows in zip(self.runs, self._weights(), strict=True):
            stop = start + size * count
            if fields is not None:
                rows = rows.view(count, size * n_out, size, n_in)[..., fields].flatten(2)
            into = x[start * kept : stop * kept].view(count, size * kept, -1)
            out[start * n_out : stop * n_out].view(count, size * n_out, -1).baddbmm_(rows, into)
            start = stop

    def ordinary(self) -> nn.Conv2d:
        """The ordinary convolution that this stands for, between fields."""
        n_out, n_in = self.fields
        blocks = [b for weight in self._weights() for b in weight.detach().double()]
        full = torch.block_diag(*blocks)
        # rows of a block are (coefficient, field): block_diag keeps the coefficient outermost
        full = full.view(self.order, n_out, self.order, n_in)
        q = self.basis.double()
        weight = torch.einsum("gc,codi,hd->ogih", q, full, q).reshape(self.order * n_out, self.order * n_in)
        conv = nn.Conv2d(self.order * n_in, self.order * n_out, 1, bias=self.bias is not None, device="meta")
        conv.weight = nn.Parameter(weight.to(self.basis)[:, :, None, None])
        if self.bias is not None:
            trivial = self.bias.detach().reshape(-1, 1)[:n_out]
            conv.bias = nn.Parameter((trivial * self.basis[:, 0]).reshape(-1))
        conv.fields = ((n_out, self.order),)  # type: ignore[assignment]
        return conv


def split_map(conv: nn.Conv2d, group: Group) -> CoefficientMap:
    """The block form of a baked 1x1 convolution between regular fields of a group."""
    basis, runs = coefficient_basis(group)
    bias = None if conv.bias is None else conv.bias.detach()
    return CoefficientMap(conv.weight.detach()[:, :, 0, 0], bias, basis.to(conv.weight), runs)


def fourier_chain(conv: nn.Conv2d, group: Group) -> nn.Sequential:
    """To coefficients, the map in blocks, and back: the same function as ``conv``."""
    basis = coefficient_basis(group)[0].to(conv.weight)
    return nn.Sequential(ToCoefficients(basis), split_map(conv, group), FromCoefficients(basis))


def fourier_pays(in_type: FieldType, out_type: FieldType) -> bool:
    """Whether a lone 1x1 map between regular fields is faster over coefficients, for a batch too: wide ones only.

    Both transforms cost two passes over the maps. For C8 with 256 channels they cancel what the blocks save from a
    batch of eight on; from 300 channels (D8: 256) the blocks win.
    """
    regular = in_type.group.is_finite and in_type.uniform == out_type.uniform == in_type.group.regular
    return regular and saved(in_type.group) * min(in_type.size, out_type.size) >= 224


def fold_fourier(layers: list[nn.Module], part: nn.Module) -> bool:
    """Join a layer to the end of a chain that ends in coefficients; whether it was joined.

    A way back followed by a way there is nothing. A batch norm over fields, of equal factors within each, goes into the
    map before the way back.
    """
    last = layers[-1] if layers else None
    if not isinstance(last, FromCoefficients):
        return False
    if type(part) is ToCoefficients and torch.equal(part.basis, last.basis):
        layers.pop()
        return True
    inner = layers[-2] if len(layers) > 1 else None
    if isinstance(part, nn.BatchNorm2d) and isinstance(inner, CoefficientMap):
        conv = fuse_conv_bn_eval(inner.ordinary().eval(), part.eval())
        layers[-2] = CoefficientMap(conv.weight.detach()[:, :, 0, 0], conv.bias, inner.basis, inner.runs)
        return True
    return False
