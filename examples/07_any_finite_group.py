"""
Any finite group
================

A group is given by its multiplication table, by permutations or by matrices. Irreps, Fourier transform and linear
layers follow by computation; nothing has to be looked up.
"""

import torch

import steerable as st
from steerable.groups import hom_basis

torch.manual_seed(0)

# %%
# Permutations of four things
# ---------------------------

S4 = st.FiniteGroup.from_permutations([[1, 0, 2, 3], [1, 2, 0, 3], [1, 2, 3, 0]], name="S4")
print(S4, "has", S4.order, "elements; irreps of size", [psi.size for psi in S4.irreps()])

# %%
# How four things are permuted is a quotient: S4 over the permutations that leave the last one alone. Elements 1 and 2
# are the first two generators above, and these generate that subgroup.

things = S4.quotient(S4.subgroup_from([1, 2]))
print(things.size, "=", " + ".join(things.irreps), "and every matrix permutes:", things.is_permutation)

# %%
# A graph on four nodes is a 4 x 4 matrix, and permuting the nodes acts on rows and columns at once: the tensor
# product. The linear maps that do not care about the order of nodes are known to be 15, whatever the number of
# nodes from 4 on.

matrices = things.tensor(things)
print(len(hom_basis(matrices, matrices)), "linear maps from graphs to graphs,",
      len(hom_basis(matrices, S4.trivial)), "from graphs to numbers")  # fmt: skip
assert len(hom_basis(matrices, matrices)) == 15

# %%
# A network on graphs with four nodes: ``Linear`` works for every group, planar or not. A regular field holds one
# channel for each of the 24 orders, so ReLU is legal there.

graphs, deep = 1 * matrices, 4 * S4.regular
net = st.nn.Sequential(
    st.nn.Linear(graphs, deep), st.nn.ReLU(deep), st.nn.Linear(deep, deep), st.nn.ReLU(deep), st.nn.GroupPool(deep),
    torch.nn.Linear(4, 2))  # fmt: skip
x = torch.randn(5, 16)
y = net(x)
for g in S4.elements:
    assert torch.allclose(net(graphs.transform(x, g)), y, atol=1e-5)
print("invariant under all", S4.order, "permutations")

# %%
# Quaternions
# -----------
# Irreps come in three types. Those of the quaternion group include one of quaternionic type: its commutant is made of
# the quaternions themselves, so a single weight becomes four.

i = torch.tensor([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
j = torch.tensor([[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
Q8 = st.FiniteGroup.from_matrices(torch.stack([i, j]), name="Q8")
for psi in Q8.irreps():
    print(f"irrep {psi.name} of {Q8}: size {psi.size}, {len(hom_basis(psi, psi))} weight(s) to itself")
assert len(hom_basis(Q8.irreps()[-1], Q8.irreps()[-1])) == 4

# %%
# In the plane
# ------------
# Orthogonal 2 x 2 matrices also say how the plane moves, so convolutions work: the symmetries of a brick wall, that
# is the two reflections in the axes.

bricks = st.FiniteGroup.from_matrices([torch.diag(torch.tensor([1.0, -1.0])), torch.diag(torch.tensor([-1.0, 1.0]))])
conv = st.nn.Conv2d(1 * bricks.trivial, 2 * bricks.regular, 3, padding=1)
st.laws.assert_equivariant(conv.double(), torch.randn(2, 1, 8, 12, dtype=torch.float64))
print(conv)

# %%
# A product of groups: a rotation of the plane, and a swap of two cameras.

both = st.product(st.C(4), st.C(2))
print(both, [psi.name for psi in both.irreps()])
pair = both.type("4 regular")
linear = st.nn.Linear(pair, pair)
st.laws.assert_equivariant(linear.double(), torch.randn(3, pair.size, dtype=torch.float64))
