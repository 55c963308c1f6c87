"""Products of irreps in closed form against the general path: averages over the group."""

from __future__ import annotations

import numpy as np
import pytest

import steerable as st
from steerable.groups import coupling as module
from steerable.groups.coupling import coupling, couplings
from steerable.groups.decompose import decompose, irrep_samples
from steerable.kernels import GaussianRings
from steerable.kernels.harmonic import stencil_functions

PLANAR = {"SO2": (st.SO2(), [str(k) for k in range(6)]), "O2": (st.O2(), ["0e", "0o", *map(str, range(1, 6))])}


def general(group, a, b):
    """What a group without closed forms does."""
    x, y = group.irrep_info(a), group.irrep_info(b)
    band = x.frequency + y.frequency
    psi, phi = irrep_samples(group, a, 2 * band), irrep_samples(group, b, 2 * band)
    matrices = np.einsum("gij,gkl->gikjl", psi, phi).reshape(len(psi), x.dim * y.dim, x.dim * y.dim)
    return decompose(group, matrices, 2 * band, band)


@pytest.mark.parametrize("name", PLANAR)
def test_products_of_the_plane_are_those_of_the_general_path(name):
    """The same irreps in the same order, and the same columns: saved weights keep their meaning."""
    group, ids = PLANAR[name]
    for a in ids:
        for b in ids:
            (found, basis), (want, columns) = group.irrep_product(a, b), general(group, a, b)
            assert found == want, (a, b)
            assert np.abs(basis - columns).max() < 1e-12, (a, b)


@pytest.mark.parametrize("name", PLANAR)
def test_they_are_intertwiners(name):
    group, ids = PLANAR[name]
    g = group.sample(5)
    for a in ids:
        for b in ids:
            found, q = group.irrep_product(a, b)
            x, y = group.irrep_matrix(a, g).numpy(), group.irrep_matrix(b, g).numpy()
            both = np.einsum("gij,gkl->gikjl", x, y).reshape(len(g), len(q), len(q))
            blocks = q.T @ both @ q
            start = 0
            for id in found:
                psi = group.irrep_matrix(id, g).numpy()
                stop = start + psi.shape[-1]
                assert np.abs(blocks[:, start:stop, start:stop] - psi).max() < 1e-12, (a, b, id)
                blocks[:, start:stop, start:stop] = 0
                start = stop
            assert np.abs(blocks).max() < 1e-12


def test_couplings_the_other_way_round():
    """A transposition with the sign of what is odd; computed anew it is the same."""
    for l in range(5):
        for k in range(l):
            targets = range(l - k, l + k + 1)
            vectors = module._complex(l, k)
            for t in targets:
                c = np.zeros((2 * t + 1, 2 * l + 1, 2 * k + 1), dtype=complex)
                for m in range(-t, t + 1):
                    low, column = vectors[t, m]
                    p = np.arange(low, low + len(column))
                    c[m + t, p + l, m - p + k] = column
                real = np.einsum(
                    "ab,bcd,ec,fd->aef",
                    module._to_real(t).conj(), c, module._to_real(l), module._to_real(k),
                )  # fmt: skip
                odd = (l + k + t) % 2
                real = real.imag if odd else real.real
                real = real * np.sign(real[t, l + 1, k - 1] if odd else real[t, l, k])
                assert np.abs(real - coupling(l, k, t)).max() < 1e-12, (l, k, t)
    # the planted fault: without the sign the cross product of 1 and 2 is that of 2 and 1
    assert np.abs(coupling(2, 1, 2) - coupling(1, 2, 2).transpose(0, 2, 1)).max() > 0.1


def test_what_is_shared_cannot_be_written():
    for array in (*couplings(2, 1), *couplings(1, 2), stencil_functions(GaussianRings.for_size(3), 3)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
