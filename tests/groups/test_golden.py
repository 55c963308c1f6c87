"""Canonical bases are the same numbers for any number of threads, any hash seed, any order of work."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from tests.conftest import ROOT

from steerable.groups import C, D
from steerable.groups.canonical import canonical_basis

R = 0.707106781187
COMPUTE = """
import json, sys
sys.path.insert(0, {root!r})
import torch
torch.set_num_threads({threads})
from steerable.groups import SO2, O2, C, D
from steerable.kernels import GaussianRings
from steerable.kernels.harmonic import sampled_basis
from tests.catalogue import GROUPS

order = {order!r}
S4, Q8, CC = GROUPS["S4"], GROUPS["Q8"], GROUPS["C3xC3"]
one = C(8).irrep(1)
work = {{
    "S4 2": lambda: S4.irrep(2)(S4.generators[1]),
    "S4 3": lambda: S4.irrep(3)(S4.generators[1]),
    "S4 4": lambda: S4.irrep(4)(S4.generators[0]),
    "Q8 4": lambda: Q8.irrep(4)(Q8.generators[0]),
    "Q8 j": lambda: Q8.irrep_info("4").endomorphisms[2],
    "CC +": lambda: CC.irrep("(1,1)+")(torch.tensor(3)),
    "CC -": lambda: CC.irrep("(1,1)-")(torch.tensor(3)),
    "C5 1x1": lambda: C(5).irrep(1).tensor(C(5).irrep(1)).basis,
    "D3 1x1": lambda: D(3).irrep(1).tensor(D(3).irrep(1)).basis,
    "S4 3x3": lambda: S4.irrep(3).tensor(S4.irrep(3)).basis[0],
    "D4/D1": lambda: D(4).quotient(D(1)).basis,
    "D3": lambda: D(3).regular.basis[1],
    "kernel": lambda: sampled_basis(one, one, GaussianRings.for_size(3), 3)[:, 0, 1, 5],
}}
names = list(work)[::order]
print(json.dumps({{n: [float(v) for v in torch.as_tensor(work[n]()).flatten()] for n in names}}))
"""

GOLDEN = {
    "S4 2": [0.533600827933, 0.845736458023, 0.845736458023, -0.533600827933],
    "S4 3": [
        -0.176270767751,
        -0.528158399767,
        -0.830648735142,
        -0.223103215337,
        -0.800464565862,
        0.556310555451,
        0.958724971899,
        -0.283381692343,
        -0.023264666387,
    ],
    "S4 4": [-0.602703058183, 0.797965552927, 0.0, 0.797965552927, 0.602703058183, 0.0, 0.0, 0.0, -1.0],
    "Q8 4": [0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0],
    "Q8 j": [0, 0, 1, 0, 0, 0, 0, 1, -1, 0, 0, 0, 0, -1, 0, 0],
    "CC +": [-0.5, 0.866025403784, -0.866025403784, -0.5],
    "CC -": [-0.5, -0.866025403784, 0.866025403784, -0.5],
    "C5 1x1": [R, 0, R, 0, 0, R, 0, R, 0, -R, 0, R, R, 0, -R, 0],
    "D3 1x1": [R, 0, R, 0, 0, R, 0, -R, 0, -R, 0, -R, R, 0, -R, 0],
    "S4 3x3": [0.57735026919, 0.421374830595, -0.365751919138, 0.320964098337, 0.211850952474, 0.455452164304, 0, 0, 0],
    "D4/D1": [0.5, R, 0, 0.5, 0.5, 0, R, -0.5, 0.5, -R, 0, 0.5, 0.5, 0, -R, -0.5],
    "kernel": [0, 0, 0, 0.305117202730, 0, 0.305172052734],
    "D3": [0.408248290464, 0.408248290464, -0.288675134595, 0.5, -0.5, -0.288675134595],
}


def compute(threads: int = 1, seed: str = "0", order: int = 1) -> dict[str, list[float]]:
    """The bases, computed in a fresh process."""
    env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src")}
    env |= {k: str(threads) for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    code = COMPUTE.format(root=str(ROOT), threads=threads, order=order)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(("threads", "seed", "order"), [(1, "0", 1), (2, "77", -1)])
def test_golden_literals(threads, seed, order):
    found = compute(threads, seed, order)
    for name, expected in GOLDEN.items():
        assert np.abs(np.array(found[name]) - np.array(expected)).max() < 1e-9, name


def projectors():
    """Projectors with many ties: regular representations of cyclic and dihedral groups, band by band."""
    for group in (C(4), C(8), C(12), D(3), D(4), D(8)):
        q, reg = group.regular.basis, group.regular
        for id in group.irrep_ids():
            columns = np.concatenate(
                [q[:, s:t] for (s, t), i in zip(reg.irrep_slices, reg.irreps, strict=True) if i == id], 1
            )
            yield columns @ columns.T, columns.shape[1]


def eigenvectors(projector, rank):
    """What a careless library does: raw eigenvectors."""
    return np.linalg.eigh(projector)[1][:, -rank:]


def unstable(method):
    """Largest change of a basis when the projector changes in its last digits."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for p, rank in projectors():
        noise = rng.standard_normal(p.shape) * 1e-14
        worst = max(worst, np.abs(method(p, rank) - method(p + noise + noise.T, rank)).max())
    return worst


def test_bases_are_functions_of_the_projector():
    assert unstable(canonical_basis) < 1e-11
    for p, rank in projectors():
        b = canonical_basis(p, rank)
        assert np.abs(b.T @ b - np.eye(rank)).max() < 1e-12 and np.abs(b @ b.T - p).max() < 1e-12


def test_raw_eigenvectors_are_caught():
    assert unstable(eigenvectors) > 0.1


def test_a_projector_of_lower_rank_is_refused():
    with pytest.raises(ValueError, match="expected 3 independent vectors, the projector holds 2"):
        canonical_basis(np.diag([1.0, 1.0, 0.0]), 3)
