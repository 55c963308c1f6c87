"""Norm activations: the length of every vector of a field passes through a function, its direction stays."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from steerable.fields.complex import streams
from steerable.fields.type import FieldType
from steerable.groups.representation import Representation
from steerable.nn.baked import Baked
from steerable.nn.functional import norm_act_blocks
from steerable.nn.functional.layout import Layout
from steerable.nn.functional.norm_act import EPS
from steerable.nn.functional.norm_functions import norm_function
from steerable.nn.module import EquivariantModule, require_type

# A relu without a bias is the identity, so it starts with a small cut.
_START = {"relu": -0.1}


@lru_cache(maxsize=256)
def vectors(rep: Representation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The vectors of which a field consists, and which of them the group permutes among themselves.

    A sum of irreps has one vector per irrep. In another basis (regular, induced ...) they are the finest runs of
    channels that every element maps onto each other as wholes; where these are no runs, the whole field is one vector.

    Returns:
        Dimensions of the vectors in order, and for each the number of its orbit.
    """
    if rep.change_of_basis is None:
        dims = tuple(rep.group.irrep_info(i).dim for i in rep.irreps)
        return dims, tuple(range(len(dims)))
    matrices = rep(rep.group.generators).numpy()
    moves = [np.abs(m) > 1e-9 for m in np.concatenate([matrices, matrices.transpose(0, 2, 1)])]
    vector = np.arange(rep.size)
    while True:  # the images of a vector lie in one vector: merge until that holds
        merged = vector.copy()
        for move in moves:
            for name in np.unique(merged):
                _merge(merged, move[:, merged == name].any(axis=1))
        if (merged == vector).all():
            break
        vector = merged
    if (np.diff(vector) < 0).any():
        return (rep.size,), (0,)
    orbit = vector.copy()
    for move in moves * rep.size:  # as many rounds as a longest path can need
        for name in np.unique(orbit):
            _merge(orbit, (orbit == name) | move[:, orbit == name].any(axis=1))
    _, first, counts = np.unique(vector, return_index=True, return_counts=True)
    return tuple(counts.tolist()), tuple(np.unique(orbit[first], return_inverse=True)[1].tolist())


def _complex_numbers(rep: Representation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The pairs of channels of a field, each with its own bias."""
    found = streams(rep)
    return tuple(s.stop - s.start for s in found), tuple(range(len(found)))


def _merge(names: np.ndarray, together: np.ndarray) -> None:
    """Give all channels that share a name with one of `together` the smallest of these names."""
    joined = np.unique(names[together])
    names[np.isin(names, joined)] = joined.min(initial=len(names))


def norm_act(x: Tensor, layout: Layout, function: str, eps: float, bias: Tensor | None, index: Tensor | None) -> Tensor:
    """`norm_act_blocks` with biases shared by the vectors that the group permutes.

    Args:
        x: ``[B, C, ...]``.
        layout: vectors of the fields of each block.
        function: name of the function.
        eps: added to the squared norm.
        bias: one per orbit of each field, or None.
        index: for each vector the bias it takes, or None if each has its own.
    """
    if bias is not None and index is not None:
        bias = bias.index_select(0, index)
    return norm_act_blocks(x, layout, bias, function, eps)


class NormAct(EquivariantModule):
    """``v -> f(|v| + b) v / |v|`` for every vector v of every field; ``[B, C, ...]`` to the same shape and type.

    Each irrep of a field has its own length and bias. Vectors that the group permutes (the two halves of a field
    induced from SO(2) to O(2), the channels of a regular field) share one bias. In eager mode only the input is kept
    for the backward pass.

    Args:
        in_type: any type.
        function: ``"relu"``, ``"elu"``, ``"sigmoid"``, ``"softplus"`` or ``"squash"``: the new length.
        bias: learn b; it starts at -0.1 for relu (which is the identity at 0), at 0 for the others.
        eps: added to the squared length, which keeps the map smooth at v = 0.
        pairs: neighbouring channels are complex numbers, one length each, order 0 too: with ``"relu"`` the C-ReLU of
            harmonic networks, ``relu(|z| + b) z / |z|`` with b of any sign; see :func:`steerable.fields.streams`.

    Raises:
        ValueError: for an unknown function, or with ``pairs`` for a field that does not consist of complex numbers.

    Source: Worrall et al., "Harmonic Networks", CVPR 2017, eq. 11; Weiler and Cesa, "General E(2)-Equivariant Steerable
    CNNs", NeurIPS 2019, section 2.6.
    """

    def __init__(
        self, in_type: FieldType, function: str = "relu", bias: bool = True, eps: float = EPS, pairs: bool = False
    ) -> None:
        if not require_type(in_type, "NormAct").size:
            raise ValueError(f"NormAct: the type must have channels, got {in_type!r}")
        super().__init__(in_type, in_type)
        norm_function(function)
        self.function, self.eps = function, eps
        layout, index, count = [], [], 0
        for b in in_type.blocks:
            dims, orbits = _complex_numbers(b.rep) if pairs else vectors(b.rep)
            layout.append((b.multiplicity, dims))
            orbit = np.array(orbits)
            per_field = int(orbit.max()) + 1
            index.append((count + per_field * np.arange(b.multiplicity)[:, None] + orbit).reshape(-1))
            count += b.multiplicity * per_field
        self.layout: Layout = tuple(layout)
        flat = np.concatenate(index) if index else np.zeros(0, dtype=np.int64)
        self.bias = nn.Parameter(torch.full((count,), _START.get(function, 0.0))) if bias else None
        self.index: Tensor | None = None
        if bias and count < len(flat):
            del self.index
            self.register_constant("index", torch.from_numpy(flat))

    def forward(self, x: Tensor) -> Tensor:
        """The activation of `x`."""
        self.check_input(x)
        return norm_act(x, self.layout, self.function, self.eps, self.bias, self.index)

    def extra_repr(self) -> str:
        """Type and function, for printing."""
        return f"{self.in_type!r}, function={self.function!r}, bias={self.bias is not None}"

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(norm_act, self.layout, self.function, self.eps, bias=self.bias, index=self.index)
