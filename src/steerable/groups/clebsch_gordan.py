"""Clebsch-Gordan tensors of any group."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from steerable.groups.constructions import tensor_irreps
from steerable.groups.representation import Representation


def clebsch_gordan(a: Representation, b: Representation, target: Representation) -> Tensor:
    """Isometries that couple two irreps to a third.

    Args:
        a, b: irreps that are multiplied.
        target: irrep to couple to.

    Returns:
        ``[s, d_target, d_a, d_b]`` float64, one tensor for each time ``target`` occurs in ``a (x) b``. Together with
        the commutant of ``target`` they span all equivariant bilinear maps; stacked over all targets they form an
        orthogonal matrix. (Cesa, Lang, Weiler, "A Program to Build E(N)-Equivariant Steerable CNNs", ICLR 2022.)

    Raises:
        ValueError: if one is not an irrep, or the groups differ.
    """
    for rep in (a, b, target):
        if not rep.is_irrep or rep.group != a.group:
            raise ValueError(f"clebsch_gordan: expected three irreps of {a.group.name}, got {rep!r}")
    ids, q = tensor_irreps(a.group, a.irreps[0], b.irreps[0])
    found, start = [], 0
    for id in ids:
        dim = a.group.irrep_info(id).dim
        if id == target.irreps[0]:
            found.append(q[:, start : start + dim].T.reshape(dim, a.size, b.size))
        start += dim
    return torch.from_numpy(np.stack(found) if found else np.zeros((0, target.size, a.size, b.size)))
