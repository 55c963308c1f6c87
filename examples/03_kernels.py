"""
Kernels, solved and drawn
=========================

A convolution is equivariant exactly if its kernel obeys ``kappa(g x) = rho_out(g) kappa(x) rho_in(g)^-1``. The
angular part of the solution is fixed by algebra; what is learned is one weight for each solution, drawn here.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch

import steerable as st
from steerable.kernels import GaussianRings, HarmonicKernel
from steerable.kernels.bandlimit import frequencies

side = 81
axis = np.linspace(-4, 4, side)
points = np.stack([np.tile(axis, side), np.repeat(-axis, side)], -1)  # rows from the top: x1 right, x2 up
rings = GaussianRings.for_size(9)


def draw(kernel, title, columns=8):
    """One picture for each solution; an arrow field where the output is a vector."""
    basis = kernel.sample(points).reshape(kernel.dim, kernel.out_rep.size, kernel.in_rep.size, side, side)
    basis = basis[:columns]
    rows = kernel.out_rep.size * kernel.in_rep.size
    figure, axes = plt.subplots(rows, len(basis), figsize=(1.15 * len(basis), 1.15 * rows + 0.4), squeeze=False)
    for j, element in enumerate(basis):
        for i, entry in enumerate(element.reshape(rows, side, side)):
            top = np.abs(element).max()
            axes[i, j].imshow(entry, cmap="RdBu_r", vmin=-top, vmax=top)
            axes[i, j].set(xticks=[], yticks=[])
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.4)


# %%
# Scalars to scalars
# ------------------
# For all rotations a kernel between scalars must be isotropic: rings. A smaller group allows more: ``C(4)`` also
# takes frequency 4, ``C(2)`` frequency 2 and 4.

SO2 = st.SO2()
draw(HarmonicKernel(SO2.trivial, SO2.trivial, rings), "SO(2): 0 to 0")
C4 = st.C(4)
draw(HarmonicKernel(C4.trivial, C4.trivial, rings), "C(4): 0 to 0")

# %%
# Scalars to vectors and to spin 2
# --------------------------------
# Two rows, the two components. The kernel from a scalar to frequency ``k`` turns ``k`` times around the centre:
# gradients for 1, the second derivatives that measure shear for 2. Each ring comes in two phases (radial and
# tangential).

draw(HarmonicKernel(SO2.trivial, SO2.irrep(1), rings), "SO(2): 0 to 1")
draw(HarmonicKernel(SO2.trivial, SO2.irrep(2), rings), "SO(2): 0 to 2")

# %%
# With reflections, half of them are gone: in O(2) only the radial phase maps a scalar to a vector.

O2 = st.O2()
draw(HarmonicKernel(O2.trivial, O2.irrep(1), rings), "O(2): 0e to 1")
for group, out in ((SO2, "1"), (O2, "1"), (st.C(8), "1"), (st.D(8), "regular"), (st.C(8), "regular")):
    kernel = HarmonicKernel(group.trivial, group.representation(out), rings)
    print(f"{group.name:4} trivial to {out:8} {kernel.dim:3} solutions")

# %%
# The law, checked
# ----------------
# Any combination of solutions obeys the kernel law at every point, for every element.

kernel = HarmonicKernel(SO2.irrep(1), SO2.irrep(2), rings)
weights = np.random.default_rng(0).normal(size=kernel.dim)
some = np.random.default_rng(1).uniform(-4, 4, (50, 2))
g = torch.tensor(math.pi / 7, dtype=torch.float64)
moved = np.einsum("k,kabn->nab", weights, kernel.sample(some @ SO2.plane(g).numpy().T))
still = np.einsum("k,kabn->nab", weights, kernel.sample(some))
expected = kernel.out_rep(g).numpy() @ still @ kernel.in_rep(g).numpy().T
print(f"largest deviation from the law: {np.abs(moved - expected).max():.0e}")
assert np.abs(moved - expected).max() < 1e-12

# %%
# Band limits
# -----------
# A ring of radius ``r`` pixels holds only so many oscillations. The policy ``"default"`` keeps frequencies near ``2
# r`` (2 on the outermost ring); a larger factor aliases, and the network errs between the lattice directions.

for bandlimit in ("default", "strict", 3.0):
    radii = GaussianRings.for_size(7).radii
    print(f"{bandlimit!s:8} largest frequency at the radii {radii}: {frequencies(bandlimit, radii)}")
plt.show()
