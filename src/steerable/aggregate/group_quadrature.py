"""Group convolution by its definition: both integrals over the group are sums over samples. Slow; the reference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from steerable.groups import Group, Inclusion, Representation, sampling_matrix

#: the scalar functions ``[E, F]`` of all pairs, for offsets ``[E, n]``
Functions = Callable[[Tensor], Tensor]


def group_quadrature(
    x: Tensor,
    kernel: Tensor,
    functions: Functions,
    offset: Tensor,
    pairs: tuple[Tensor, Tensor, int],
    reps: tuple[Representation, Representation],
    subgroups: tuple[Group | Inclusion | None, Group | Inclusion | None] = (None, None),
    band: int = 0,
) -> Tensor:
    """``out(x_i, R) = sum_(j -> i) integral f(x_j, S) k(R^-1 (x_j - x_i), R^-1 S) dS``, sampled, then analysed again.

    Args:
        x: coefficients of the signals at the sources, ``[M, m_in D_in]``.
        kernel: ``[m_out, m_in, D_in, F]``: ``k(z, T) = sum_AF kernel_AF Phi_A(T) Y_F(z)``.
        functions: offsets to the values of the scalar functions.
        offset: ``[E, n]``.
        pairs: target ``[E]``, source ``[E]``, number N of targets.
        reps: of the functions on the group, or on quotients, at input and output.
        subgroups: the subgroups of the quotients.
        band: largest frequency of the scalar functions under the group.

    Returns:
        Coefficients ``[N, m_out D_out]``.
    """
    (source_rep, target_rep), group = reps, reps[0].group
    target, source, count = pairs
    elements, weights = group.haar(source_rep.frequency + target_rep.frequency + band)
    weights = weights.to(x)
    m_out, m_in, d, _ = kernel.shape
    samples = x.view(-1, m_in, d) @ sampling_matrix(source_rep, elements, subgroups[0]).T.to(x)  # f(x_j, S)
    found = []
    for r in elements:
        back = group.inverse(r)
        relative = sampling_matrix(source_rep, group.compose(back, elements), subgroups[0]).to(x)  # Phi(R^-1 S)
        met = (samples * weights) @ relative
        y = functions(offset @ group.action(back, offset.shape[-1]).T.to(offset))  # Y(R^-1 z)
        moved = torch.einsum("ef,oiaf,eia->eo", y, kernel, met.index_select(0, source))
        found.append(x.new_zeros(count, m_out).index_add(0, target, moved))
    out = sampling_matrix(target_rep, elements, subgroups[1]).to(x)
    return torch.einsum("qno,q,qb->nob", torch.stack(found), weights, out).flatten(1)
