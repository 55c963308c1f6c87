"""
How equivariant is my network?
==============================

``laws.check`` takes any module: a network of this library, a plain one, your own layer. It turns the input, runs the
module, turns the output, and sets the difference beside the floor that interpolation alone costs.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

import steerable as st

torch.manual_seed(0)
x = torch.randn(4, 1, 33, 33)


def steerable_net(group, bandlimit="default"):
    """Three convolutions from an image to invariant maps."""
    image, deep, out = 1 * group.trivial, 4 * group.regular, 16 * group.trivial
    return st.nn.Sequential(
        st.nn.Conv2d(image, deep, 5, padding=2, bandlimit=bandlimit), st.nn.ReLU(deep),
        st.nn.Conv2d(deep, deep, 5, padding=2, bandlimit=bandlimit), st.nn.ReLU(deep),
        st.nn.Conv2d(deep, out, 5, padding=2, bandlimit=bandlimit),
    ).eval()  # fmt: skip


# %%
# A table for one network
# -----------------------

net = steerable_net(st.C(8))
report = st.laws.check(net, x)
print(report)
assert report.ok

# %%
# The same question to a plain network; the group is named, because a plain network has none.

plain = nn.Sequential(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(),
                      nn.Conv2d(32, 16, 5, padding=2))  # fmt: skip
print(st.laws.check(plain, x, group=st.C(4)))

# %%
# The error against the angle
# ---------------------------
# ``C(4)`` is exact for quarter turns and nothing else; ``C(8)`` and ``C(16)`` come down to what the pixel grid
# allows. A band limit that the kernel cannot hold gives part of that back.

angles = [5.0 * k for k in range(19)]
nets = {"plain": plain, "C(4)": steerable_net(st.C(4)), "C(8)": net, "C(16)": steerable_net(st.C(16)),
        "C(8), band limit 3 r": steerable_net(st.C(8), bandlimit=3.0)}  # fmt: skip
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for name, module in nets.items():
    curve = st.laws.error_against_angle(module, x, angles)
    axes.plot(curve.degrees, curve.errors, marker="o", ms=3, label=name)
    print(f"{name:22} at 45 degrees {curve.errors[9]:.3f}, worst {curve.worst[1]:.3f} at {curve.worst[0]:.0f}")
axes.plot(curve.degrees, curve.floor, color="0.6", label="resampling alone")
axes.set(xlabel="angle (degrees)", ylabel="relative error", yscale="log", ylim=(1e-8, 3))
axes.legend(frameon=False, fontsize=8)
plt.show()

# %%
# Mistakes have names
# -------------------
# A stride that leaves pixels over breaks quarter turns; the check says which layer, and which sizes work.

deep = 4 * st.C(4).regular
strided = st.nn.Sequential(st.nn.Conv2d(1 * st.C(4).trivial, deep, 3, padding=1), st.nn.ReLU(deep),
                           st.nn.MaxPool2d(deep, 2), st.nn.GroupPool(deep))  # fmt: skip
print(st.laws.check(strided, x))
print(st.laws.check(strided, torch.randn(4, 1, 32, 32)).ok)

# %%
# ``lint`` reads a model without running it.


class Wrong(nn.Module):
    """Adds a plain bias to fields that turn."""

    def __init__(self):
        super().__init__()
        self.conv = st.nn.Conv2d(st.C(4).type("1 trivial"), st.C(4).type("4x1"), 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x))


for finding in st.laws.lint(Wrong()):
    print(finding)
assert st.laws.lint(Wrong())
