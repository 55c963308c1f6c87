"""Concatenated ReLU: the positive and the negative part of every channel, side by side."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.decompose import decompose
from steerable.groups.representation import Representation
from steerable.nn.baked import Baked
from steerable.nn.functional.layout import join_blocks, merge_dims, split_blocks, split_dim
from steerable.nn.module import EquivariantModule, require_type
from steerable.nn.pointwise import is_signed_permutation


@lru_cache(maxsize=256)
def halves(rep: Representation) -> Representation:
    """How ``[relu(v), relu(-v)]`` moves: a permutation of twice as many channels.

    Where the group sends ``v_i`` to ``-v_j`` it sends ``relu(v_i)`` to ``relu(-v_j)``: with ``M = P - N`` the matrices
    are ``[[P, N], [N, P]]``.
    """
    group, d = rep.group, rep.size
    if d == 1:
        q = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
        return Representation(group, (group.irrep_ids(0)[0], rep.irreps[0]), q, f"halves({rep.name})")
    m = np.round(rep(group.elements).numpy())
    p, n = np.maximum(m, 0), np.maximum(-m, 0)
    matrices = np.concatenate([np.concatenate([p, n], 2), np.concatenate([n, p], 2)], 1)
    top = max(group.irrep_info(i).frequency for i in group.irrep_ids())
    ids, q = decompose(group, matrices, 0, top)
    return Representation(group, ids, q, f"halves({rep.name})")


def concatenated_relu(x: Tensor, shapes: tuple[tuple[int, int], ...]) -> Tensor:
    """``[B, C, ...] -> [B, 2 C, ...]``: for each field v of dimension d its ``relu(v)``, then its ``relu(-v)``.

    Args:
        x: features.
        shapes: ``(multiplicity, dimension)`` of each block.
    """
    found = []
    for block, shape in zip(split_blocks(x, [m * d for m, d in shapes]), shapes, strict=True):
        fields = split_dim(block, 1, shape)
        found.append(merge_dims(torch.cat([torch.relu(fields), torch.relu(-fields)], 2), 1))
    return join_blocks(found)


class CReLU(EquivariantModule):
    """``[relu(v), relu(-v)]``: a pointwise function for fields that change sign; ``[B, C, ...]`` to ``[B, 2 C, ...]``.

    The output is a permuted field, on which ordinary pointwise functions are legal: two fields of the same kind for a
    permuted field, and for a one-dimensional sign psi the regular field of the two-element quotient (trivial + psi).

    Args:
        in_type: fields whose channels the group permutes up to signs: one-dimensional irreps of any group, and signed
            permutations of finite groups.

    Raises:
        TypeError: for other fields.

    Source: Shang et al., "Understanding and Improving Convolutional Neural Networks via Concatenated Rectified Linear
    Units", ICML 2016; Weiler and Cesa, "General E(2)-Equivariant Steerable CNNs", NeurIPS 2019, section 2.6.
    """

    def __init__(self, in_type: FieldType) -> None:
        out = []
        for b in require_type(in_type, "CReLU").blocks:
            if b.rep.is_permutation:
                out.append((2 * b.multiplicity, b.rep))
            elif is_signed_permutation(b.rep) and (b.rep.size == 1 or b.rep.group.is_finite):
                out.append((b.multiplicity, halves(b.rep)))
            else:
                raise TypeError(
                    f"CReLU: expected fields whose channels are permuted up to signs, got {b} in {in_type!r}; use "
                    f"NormAct, Gate or FourierAct on it"
                )
        if not in_type.size:
            raise ValueError(f"CReLU: the type must have channels, got {in_type!r}")
        super().__init__(in_type, FieldType(in_type.group, out))
        self.shapes = tuple(b.shape for b in in_type.blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Both halves of `x`."""
        self.check_input(x)
        return concatenated_relu(x, self.shapes)

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(concatenated_relu, self.shapes)
