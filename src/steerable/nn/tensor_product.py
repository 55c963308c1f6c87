"""Tensor products as a nonlinearity: all quadratic invariants and covariants of each field."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.constructions import tensor_irreps
from steerable.groups.decompose import decompose, irrep_samples
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.nn.baked import Baked
from steerable.nn.functional.layout import join_blocks, merge_dims, split_blocks, split_dim
from steerable.nn.module import EquivariantModule, require_type


def _symmetric(size: int) -> np.ndarray:
    """Orthonormal basis ``[size (size + 1) / 2, size, size]`` of the symmetric matrices."""
    found = []
    for i in range(size):
        for j in range(i, size):
            m = np.zeros((size, size))
            m[i, j] = m[j, i] = 1.0 if i == j else np.sqrt(0.5)
            found.append(m)
    return np.stack(found)


@lru_cache(maxsize=1024)
def symmetric_square(group: Group, id: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Irreps of the symmetric part of ``psi (x) psi`` and the forms ``[sum of dims, d, d]`` that give them."""
    info = group.irrep_info(id)
    known = group.irrep_product(id, id)
    if known is not None:  # every irrep once: symmetric or antisymmetric as a whole
        ids, forms, start = [], [], 0
        for found in known[0]:
            stop = start + group.irrep_info(found).dim
            form = known[1][:, start:stop].T.reshape(-1, info.dim, info.dim)
            if np.abs(form - form.transpose(0, 2, 1)).max() < 1e-9:
                ids.append(found)
                forms.append(form)
            start = stop
        return tuple(ids), np.concatenate(forms)
    basis = _symmetric(info.dim)
    band = max(group.irrep_info(i).frequency for i in group.irrep_ids()) if group.is_finite else 2 * info.frequency
    psi = irrep_samples(group, id, 2 * band)
    matrices = np.einsum("aij,gik,gjl,bkl->gab", basis, psi, psi, basis, optimize=True)
    ids, q = decompose(group, matrices, 2 * band, band)
    return ids, np.einsum("ak,aij->kij", q, basis)


@lru_cache(maxsize=256)
def quadratic_forms(rep: Representation, max_frequency: int | None) -> tuple[tuple[str, ...], np.ndarray]:
    """Irreps of the symmetric square of a representation up to a band, and forms ``[D, d, d]``: ``y = v^T F v``."""
    group = rep.group
    ids: list[str] = []
    forms: list[np.ndarray] = []
    slices = list(zip(rep.irrep_slices, rep.irreps, strict=True))
    for n, ((s, t), i) in enumerate(slices):
        for (u, w), j in slices[n:]:
            if s == u:
                found, small = symmetric_square(group, i)
            else:
                found, q = tensor_irreps(group, i, j)
                # v_i (x) v_j stands twice in the symmetric square
                small = np.sqrt(2) * q.T.reshape(-1, t - s, w - u)
            form = np.einsum("ai,kij,bj->kab", rep.basis[:, s:t], small, rep.basis[:, u:w])
            start = 0
            for id in found:
                info = group.irrep_info(id)
                if max_frequency is None or info.frequency <= max_frequency:
                    ids.append(id)
                    forms.append(form[start : start + info.dim])
                start += info.dim
    return tuple(ids), np.concatenate(forms) if forms else np.zeros((0, rep.size, rep.size))


def products(x: Tensor, shapes: tuple[tuple[int, int], ...], **matrices: Tensor) -> Tensor:
    """``[B, C, ...] -> [B, C', ...]``: linear combinations of the products of the channels of each field.

    Args:
        x: features.
        shapes: ``(multiplicity, d)`` of each block.
        matrices: ``forms_k [D, d (d + 1) / 2]`` of block k, on the products ``v_i v_j`` with ``i <= j``.
    """
    found = []
    for k, (block, shape) in enumerate(zip(split_blocks(x, [m * d for m, d in shapes]), shapes, strict=True)):
        v = split_dim(block, 1, shape)
        pairs = torch.cat([v.narrow(2, i, 1) * v.narrow(2, i, shape[1] - i) for i in range(shape[1])], 2)
        found.append(merge_dims(torch.einsum("kp,bmp...->bmk...", matrices[f"forms_{k}"].to(x.dtype), pairs), 1))
    return join_blocks(found)


class TensorProduct(EquivariantModule):
    """The product of every field with itself, taken apart into irreps: the only quadratic nonlinearity there is.

    ``v -> v (x) v``; the antisymmetric part vanishes, what remains is given in irreps and has the length ``|v|^2``.
    Fields that are sums of irreps multiply these with each other too: ``0 + 1`` gives ``0, 1, 0 + 2``. Trivial fields
    are squared.

    Args:
        in_type: any type.
        max_frequency: irreps above this band are left out; default: none are.

    Raises:
        ValueError: if nothing is left within the band.

    Source: Kondor, Lin and Trivedi, "Clebsch-Gordan Nets", NeurIPS 2018; Weiler and Cesa, "General E(2)-Equivariant
    Steerable CNNs", NeurIPS 2019, section 2.6.
    """

    def __init__(self, in_type: FieldType, max_frequency: int | None = None) -> None:
        out, forms = [], []
        for b in require_type(in_type, "TensorProduct").blocks:
            ids, form = quadratic_forms(b.rep, max_frequency)
            if not ids:
                raise ValueError(
                    f"TensorProduct: the square of {b} in {in_type!r} holds no irrep up to "
                    f"max_frequency={max_frequency}; expected at least 0"
                )
            out.append((b.multiplicity, _named(b.rep, ids)))
            forms.append(form)
        if not in_type.size:
            raise ValueError(f"TensorProduct: the type must have channels, got {in_type!r}")
        super().__init__(in_type, FieldType(in_type.group, out))
        self.shapes = tuple(b.shape for b in in_type.blocks)
        for k, form in enumerate(forms):
            rows, columns = np.triu_indices(form.shape[1])
            both = form + form.transpose(0, 2, 1)
            self.register_constant(f"forms_{k}", np.where(rows == columns, 0.5, 1.0) * both[:, rows, columns])

    def _tensors(self) -> dict[str, Tensor]:
        return {f"forms_{k}": getattr(self, f"forms_{k}") for k in range(len(self.shapes))}

    def forward(self, x: Tensor) -> Tensor:
        """The products of `x`."""
        self.check_input(x)
        return products(x, self.shapes, **self._tensors())

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(products, self.shapes, **self._tensors())


def _named(rep: Representation, ids: tuple[str, ...]) -> Representation:
    group = rep.group
    if len(ids) == 1:
        return group.trivial if rep.is_trivial else group.irrep(ids[0])
    return group.irrep(ids[0]).direct_sum(*(group.irrep(i) for i in ids[1:]))
