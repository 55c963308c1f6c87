"""Independent answers for kernel spaces: the analytic count of solutions, and the null space by brute force."""

from __future__ import annotations

import torch

from steerable.groups import O2, SO2, C, D, Group


def _order(group: Group) -> int | None:
    """Number of rotations, ``None`` for all."""
    return {C: lambda: group.order, D: lambda: group.n, SO2: lambda: None, O2: lambda: None}[type(group)]()


def _hits(target: int, order: int | None, band: int) -> int:
    """Signed frequencies up to ``band`` that agree with ``target`` under the rotations of the group."""
    if order is None:
        return int(abs(target) <= band)
    return sum((mu - target) % order == 0 for mu in range(-band, band + 1))


def analytic(group: Group, n: str, m: str, band: int) -> int:
    """Dimension of the kernels ``psi_n -> psi_m`` on one ring with angular frequencies up to ``band``.

    The table of Weiler and Cesa (arXiv 1911.08251, appendix F). Over the complex numbers a pair of characters, ``a`` of
    the output and ``b`` of the input, has the signed frequencies ``mu = a - b`` modulo the number of rotations;
    reflections keep half of the solutions, or those of one parity where both irreps are one-dimensional.
    """
    order = _order(group)
    sizes = [group.irrep(i).size for i in (n, m)]
    j, k = (int(i.rstrip("eo")) for i in (n, m))
    if sizes == [1, 1]:
        count = _hits(k - j, order, band)
        if isinstance(group, C | SO2):
            return count
        even = n[-1] == m[-1]
        positive = [mu for mu in range(band + 1) if (mu - (k - j)) % order == 0] if order else [0] * (j == k)
        return len(positive) if even else sum(mu > 0 for mu in positive)
    if 1 in sizes:
        count = 2 * _hits(k - j, order, band)
    else:
        count = 2 * _hits(k - j, order, band) + 2 * _hits(k + j, order, band)
    return count if isinstance(group, C | SO2) else count // 2


def null_space(group: Group, n: str, m: str, band: int) -> int:
    """The same number by brute force: all matrix-valued trigonometric polynomials, one constraint an angle."""
    rho_in, rho_out = group.irrep(n), group.irrep(m)
    phi = torch.arange(4 * band + 5, dtype=torch.float64) * 0.7
    size = rho_in.size * rho_out.size

    def functions(angle: torch.Tensor) -> torch.Tensor:
        rows = [torch.ones_like(angle)]
        for mu in range(1, band + 1):
            rows += [torch.cos(mu * angle), torch.sin(mu * angle)]
        return torch.stack(rows, -1)  # [angles, 2 band + 1]

    x = torch.stack([torch.cos(phi), torch.sin(phi)], -1)
    rows = []
    for g in group.generators:
        moved = x @ group.plane(g).T
        there = functions(torch.atan2(moved[:, 1], moved[:, 0]))
        act = torch.kron(rho_out(g).contiguous(), rho_in(g).contiguous())  # on row-major vec: rho_out K rho_in^T
        left = torch.einsum("af,ij->aifj", there, torch.eye(size, dtype=torch.float64))
        right = torch.einsum("af,ij->aifj", functions(phi), act)
        rows.append((left - right).flatten(0, 1).flatten(1, 2))
    matrix = torch.cat(rows)
    return matrix.shape[1] - int(torch.linalg.matrix_rank(matrix, atol=1e-8))
