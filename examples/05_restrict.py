"""
Less symmetry further up: Restrict
==================================

Edges look alike in all directions, whole scenes often do not: the sky is above the ground. A network can start
with a large group and give part of it up on the way. ``Restrict`` takes the fields apart and loses nothing: it
only stops the layers that follow from having to respect what was given up.
"""

import torch

import steerable as st

torch.manual_seed(0)
D8, C4, D1 = st.D(8), st.C(4), st.D(1)

# %%
# What becomes of a field: a regular field of 16 channels is four regular fields of ``C(4)``; the vector of ``D(8)``
# is still a vector, frequency 3 becomes one too (it turns three quarters where the image turns one), frequency 4 a
# scalar.

for text, small in (("1 regular", C4), ("1x1", C4), ("1x3", C4), ("1x4e", C4), ("1 regular", D1), ("1x1", D1)):
    layer = st.nn.Restrict(D8.type(text), small)
    print(f"{layer.in_type!r:14} -> {layer.out_type!r}")

# %%
# A network with three symmetries
# -------------------------------

image = 1 * D8.trivial
a, b, c = 2 * D8.regular, 8 * C4.regular, 16 * st.C(1).regular
lower = st.nn.Sequential(st.nn.Conv2d(image, a, 5, padding=2), st.nn.ReLU(a), st.nn.Restrict(a, C4))
middle = st.nn.Sequential(st.nn.Conv2d(lower.out_type, b, 5, padding=2), st.nn.ReLU(b))
upper = st.nn.Sequential(st.nn.Restrict(b, st.C(1)), st.nn.Conv2d(32 * st.C(1).regular, c, 3, padding=1))

x = torch.randn(2, 1, 17, 17)


def error(net, group, in_type=None, out_type=None):
    """Largest relative error over the lattice symmetries of a group."""
    return st.laws.equivariance_error(net, x, in_type, out_type, group=group).max().item()


scalar = 1 * C4.trivial
print(f"lower part under C(4):            {error(lower, C4, scalar, lower.out_type):.0e}")
both = torch.nn.Sequential(lower, middle)
print(f"lower and middle under C(4):      {error(both, C4, scalar, b):.0e}")
assert error(both, C4, scalar, b) < 1e-5

# %%
# After the last step nothing is promised any more: the same weights could have been those of a plain network.

whole = torch.nn.Sequential(lower, middle, upper, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
print(f"the whole, scores, under C(4):    {error(whole, C4):.2f}")
assert error(whole, C4) > 0.01

# %%
# The same idea is built into the wide residual networks: one group for each stage.

wrn = st.create_model("wrn10_4", in_channels=1, num_classes=10, groups=("D8", "C4", "C1"))
print([stage.out_type for stage in wrn.stages])
