"""
Groups, representations, field types
====================================

The algebra under the layers. Group elements are tensors, so all operations are batched; representations are
orthogonal matrices in float64; a field type says how many fields of which representation a feature map holds.
"""

import torch

import steerable as st
from steerable.groups import clebsch_gordan, hom_basis

# %%
# Groups
# ------
# Elements of a finite group are integers. In ``D(4)`` the element ``r + 4 s`` is a turn by ``r`` quarters after a
# flip if ``s = 1``.

D4 = st.D(4)
g, h = torch.tensor([1, 5]), torch.tensor([4, 4])
print("g h  =", D4.compose(g, h).tolist(), "  g^-1 =", D4.inverse(g).tolist())
print(D4.plane(torch.tensor(1)))  # a quarter turn, counter-clockwise: x1 right, x2 up

# %%
# SO(2) has angles in place of integers, O(2) pairs (angle, flip). Products and groups from tables, permutations or
# matrices come in :doc:`07_any_finite_group`.

SO2, O2 = st.SO2(), st.O2()
print(SO2.compose(torch.tensor(3.0), torch.tensor(4.0)), O2.sample(2, torch.Generator().manual_seed(0)))

# %%
# Representations
# ---------------
# Irreducible ones have short names, others are made of them.

for group in (st.C(4), D4, st.product(st.C(2), st.C(3))):
    print(group.name, {psi.name: psi.size for psi in group.irreps()})
print("SO2", {psi.name: psi.size for psi in SO2.irreps(3)})

# %%
# The regular representation permutes the values of a function on the group; in the basis of its Fourier transform it
# falls apart into irreps, each as often as theory says.

regular = D4.regular
print(regular.name, regular.size, regular.irreps)
q = regular.change_of_basis
blocks = q.T @ regular(torch.tensor(1)) @ q
print(torch.where(blocks.abs() < 1e-12, 0.0, blocks).round(decimals=3))

# %%
# More ways to make one: functions on cosets, induction, restriction, sums and products.

C4 = st.C(4)
for rho in (D4.quotient(st.C(2)), D4.induced(C4, C4.irrep(1)), D4.irrep(1).tensor(D4.irrep(1)),
            D4.irrep(1).restrict(C4), D4.trivial.direct_sum(D4.irrep("0o"))):  # fmt: skip
    print(f"{rho.group.name:3} {rho.name:16} size {rho.size}  =  {' + '.join(rho.irreps)}")

# %%
# Linear maps that commute with the group are all that a layer can learn. ``hom_basis`` gives an orthonormal basis of
# them: between regular representations there are as many as the group has elements, out of 64 entries.

basis = hom_basis(regular, regular)
print(basis.shape)
A = basis[3]
assert torch.allclose(A @ regular(g), regular(g) @ A)

# %%
# Clebsch-Gordan tensors do the same for products of two features.

print(clebsch_gordan(SO2.irrep(1), SO2.irrep(1), SO2.irrep(2)).round(decimals=3))

# %%
# Field types
# -----------
# An integer times a representation is a type; types add like channels that are put side by side. Strings and types
# are the same thing in two spellings.

t = 16 * D4.regular + 4 * D4.trivial
print(repr(t), "|", t.size, "channels,", t.num_fields, "fields")
assert D4.type(str(t)) == t
print(repr(SO2.type("8x0 + 4x1 + 2x2")), "|", repr(O2.type("4x0e + 4x0o + 8x1")))

# %%
# Channels lie field after field: a block of ``m`` fields of size ``d`` is the view ``[B, m, d, ...]``.

x = torch.randn(2, t.size, 5, 5)
first = t.blocks[0]
fields = x[:, first.start : first.stop].unflatten(1, first.shape)
print(first, fields.shape)

# %%
# ``transform`` acts on channels; a domain such as ``PixelGrid`` moves the pixels too. Together they are the action
# on a field, ``[g f](x) = rho(g) f(g^-1 x)``, and it composes as it should.

grid = st.domains.PixelGrid(5, 5)
a, b = torch.tensor(1), torch.tensor(6)
one = grid.transform(grid.transform(x, t, b), t, a)
both = grid.transform(x, t, D4.compose(a, b))
assert torch.allclose(one, both)
