"""
Samples that move with the data
===============================

A feature of SO(3) can hold the Fourier coefficients of a function on the rotations, or on the sphere. A ReLU of
that function is taken at samples: exactly equivariant only if the samples turn with the data. This script
measures what that is worth.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st

torch.manual_seed(0)
G = st.SO3()
fields = 4 * G.spectral_regular(2)  # four functions on SO(3), 35 coefficients each
x = torch.randn(16, fields.size, dtype=torch.float64)
turns = G.sample(6, torch.Generator().manual_seed(1))


def error(samples, grid, function="elu"):
    """Largest relative error of f(g x) = g f(x)."""
    act = st.nn.FourierAct(fields, function, samples, grid).double()
    return float(st.laws.equivariance_error(act, x, elements=turns).max())


# %%
# Fixed grids converge, a moving grid is exact
# --------------------------------------------
# A moving grid needs no more samples than hold the 35 coefficients well; 35 of them do, but so badly that the
# library warns.

counts = [52, 70, 96, 140, 280, 560]
curves = {grid: [error(n, grid) for n in counts] for grid in ("random", "spread", "adaptive")}
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for grid, errors in curves.items():
    axes.loglog(counts, errors, marker="o", ms=4, label=grid)
    print(f"{grid:10}" + "".join(f"{e:10.1e}" for e in errors))
axes.set(xlabel="samples", ylabel="relative equivariance error", title="ELU on SO(3), up to degree 2")
axes.legend(frameon=False)
plt.show()
assert max(curves["adaptive"]) < 1e-10 < 1e-2 < min(curves["spread"])

# %%
# What equivariance does not see
# ------------------------------
# The aliasing is still there: it only turns with the data. How much the result depends on where the samples lie is a
# law of its own, and the number by which to choose them.

for n in (52, 96, 280):
    act = st.nn.FourierAct(fields, "elu", n, "adaptive").double()
    depends = float(st.laws.grid_invariance_error(act, x).max())
    print(f"{n:4} samples: equivariant to {error(n, 'adaptive'):.0e}, the grid shows by {depends:.2f}")

# %%
# An input with a symmetry of its own
# -----------------------------------
# The frame is made of two vectors of the field. Parallel vectors make none: no equivariant frame exists there, and a
# hard choice would jump. Ours fades into a rule without samples. Here one of the vectors passes through a parallel
# position.

pair = 2 * G.spectral_quotient(st.SO2(), 2)  # two functions on the sphere: two vectors
way = torch.randn(1, pair.size, dtype=torch.float64).repeat(401, 1)
first, second = way[:, 1:4].clone(), way[:, 10:13].clone()
s = torch.linspace(-0.3, 0.3, 401, dtype=torch.float64)
way[:, 10:13] = first + s[:, None] * second  # parallel at s = 0

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
steps = {}
for name, softness in (("soft frame (default)", 1e-3), ("hard frame", 1e-12)):
    torch.manual_seed(1)
    act = st.nn.FourierAct(pair, "elu", 12, frame=st.nn.Frame(pair, softness=softness)).double()
    with torch.no_grad():
        y = act(way)
    steps[name] = float(y.diff(dim=0).norm(dim=1).max())
    axes.plot(s, y[:, 5], label=name)
    print(f"{name:22} largest step {steps[name]:.3f}")
axes.set(xlabel="distance from parallel", ylabel="one coefficient of the result")
axes.legend(frameon=False)
plt.show()
assert steps["soft frame (default)"] < steps["hard frame"] / 3

# %%
# In a network
# ------------
# Nothing else changes: the layer takes and gives a plain tensor. ``frame="given"`` shares one frame among layers, or
# takes it from other channels.

vectors = G.type("3x1")
net = st.nn.mlp(vectors, [fields, fields], G.type("2x0 + 1x1"), act="adaptive", function="elu").double()
st.laws.assert_equivariant(net, torch.randn(8, vectors.size, dtype=torch.float64))
print([type(layer).__name__ for layer in net], "exactly equivariant")
