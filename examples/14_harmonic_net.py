"""
Harmonic networks: the phase is the angle
=========================================

Features are complex numbers. Where the image turns by t, a stream of order m is multiplied by ``e^(i m t)``: its phase
follows the image, its magnitude does not move at all.
"""

import math

import matplotlib.pyplot as plt
import torch

import steerable as st

torch.manual_seed(0)
SIDE = 49


def scene(angle):
    """A bar with a bright end ``[1, 1, 49, 49]``, turned before it is sampled."""
    points = st.domains.PixelGrid(SIDE, SIDE).points()
    c, s = math.cos(angle), math.sin(angle)
    x, y = c * points[..., 0] + s * points[..., 1], c * points[..., 1] - s * points[..., 0]
    bar = torch.exp(-((x / 9) ** 4) - (y / 2.5) ** 2) + 1.5 * torch.exp(-((x - 9) ** 2 + y**2) / 9)
    return bar[None, None].float()


degrees = list(range(0, 360, 15))
scenes = torch.cat([scene(math.radians(a)) for a in degrees])

# %%
# Three convolutions, orders 0, 1 and 2
# -------------------------------------
# ``HarmonicConv2d`` works on ``[B, C, order, 2, H, W]``; between layers a flattened view is an ordinary typed field.

orders = (0, 1, 2)
first = st.nn.HarmonicConv2d(1, 6, 7, orders_in=None, orders_out=orders, padding=3)
second = st.nn.HarmonicConv2d(6, 6, 7, orders, orders, padding=3)
third = st.nn.HarmonicConv2d(6, 1, 7, orders, orders, padding=3)
act = st.nn.NormAct(first.out_type, pairs=True)  # relu(|z| + b) z / |z|


def response(x):
    """Complex ``[B, order]`` at the centre of the image."""
    y = first(x)
    y = second(act(y.flatten(1, 3)).view_as(y))
    y = third(act(y.flatten(1, 3)).view_as(y))
    return torch.complex(y[:, 0, :, 0], y[:, 0, :, 1])[..., SIDE // 2, SIDE // 2].detach()


z = response(scenes)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for k, m in enumerate(orders):
    phase = (torch.rad2deg(torch.angle(z[:, k] / z[0, k])) + 20) % 360 - 20
    left.plot(degrees, phase, "o", ms=3.5, label=f"order {m}")
    left.plot(degrees, [(m * a + 20) % 360 - 20 for a in degrees], "_", color="0.5", ms=7)
    right.plot(degrees, z[:, k].abs() / z[:, k].abs().mean(), marker="o", ms=3, label=f"order {m}")
    off = (z[:, k] / z[0, k] / torch.exp(1j * m * torch.deg2rad(torch.tensor(degrees))) - 1).abs()
    print(f"order {m}: at 90 degrees off by {off[degrees.index(90)]:.0e}, at worst {off.max():.3f}")
    assert off[degrees.index(90)] < 1e-3 and off.max() < 0.15
left.set(xlabel="angle of the image", ylabel="phase of the response", yticks=range(0, 361, 90))
right.set(xlabel="angle of the image", ylabel="magnitude / mean", ylim=(0.8, 1.2))
right.legend(frameon=False)
plt.show()

# %%
# Half of the steerable kernels
# -----------------------------
# From order 1 to order 1, rotations allow the frequencies 0 and 2 on each ring, the second with the input conjugated. A
# harmonic network keeps the kernels that are linear over the complex numbers.

rings = st.kernels.GaussianRings((2.0,), (0.6,), (2,))
one = st.fields.complex_stream(st.SO2(), 1)
print("all:", st.kernels.HarmonicKernel(one, one, rings).dim, "a ring; complex linear:",
      st.kernels.ComplexLinear(rings).kernel(one, one).dim)  # fmt: skip

# %%
# Seven convolutions against a plain twin
# ---------------------------------------
# The network for digits, without its poolings, and the twin with as many parameters: how far the maps before the head
# are from turning with the image, against the angle. Neither is trained.

harmonic = st.create_model("hnet", pool_after=()).features.eval()
plain = st.create_model("hnet_plain", pool_after=()).net[:-3].eval()
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for name, maps in (("harmonic", harmonic), ("plain twin", plain)):
    curve = st.laws.error_against_angle(maps, scenes[:1], [float(a) for a in range(0, 100, 10)])
    axes.plot(curve.degrees, curve.errors, marker="o", ms=3, label=name)
    print(f"{name:11} error {curve.errors[-1]:.0e} at 90 degrees, at most {max(curve.errors):.3f}")
    assert (max(curve.errors) < 0.05) == (name == "harmonic")
axes.plot(curve.degrees, curve.floor, color="0.6", label="resampling alone")
axes.set(xlabel="angle of the image", ylabel="relative error of the maps", ylim=(0, None))
axes.legend(frameon=False)
plt.show()
