"""
Points whose pose does not matter
=================================

Two ways to say something of every point that stays the same when the cloud is turned: invariants of pairs, which are
exact (SPRIN), and functions on spherical shells, which are as good as their band (PRIN).
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains.points.dilated import nearest_of
from steerable.domains.points.farthest import farthest_points
from steerable.tasks.shapes.dataset import draw

generator = torch.Generator().manual_seed(0)
SO3 = st.SO3()
cone = draw(3, 1024, 0.1, generator).float()
exact = SO3.action(SO3.sample(1, generator)[0])
turn = exact.float()
x = torch.ones(1024, 1)

# %%
# The same points after a turn
# ----------------------------
# Farthest-point sampling begins with the point farthest from the mean and draws nothing at random. Every second of the
# 24 nearest points is a neighbour: as wide as 24, as cheap as 12.

points, turned = st.Points(cone), st.Points(cone @ turn.mT)
few = farthest_points(points, 32)
assert torch.equal(farthest_points(turned, 32), few)
near = nearest_of(points, st.Points(cone[few]), 12, dilation=2)

figure = plt.figure(figsize=(9.6, 3.6), layout="constrained")
for k, (title, p) in enumerate((("32 of 1024 points", cone), ("after a turn", cone @ turn.mT)), 1):
    axis = figure.add_subplot(1, 3, k, projection="3d")
    axis.scatter(*p.T, s=2, color="0.8")
    axis.scatter(*p[few].T, s=16, color="C0")
    mine = near.source[near.target == 3]
    axis.scatter(*p[mine].T, s=22, color="C3")
    axis.scatter(*p[few[3]][:, None], s=60, color="k", marker="x")
    axis.set(title=title)
    axis.set(xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), zlim=(-0.9, 0.9))
    axis.set_box_aspect((1, 1, 1), zoom=1.25)
    axis.set_axis_off()

# %%
# Exact: invariants of pairs
# --------------------------

torch.manual_seed(0)
sprin = st.create_model("sprin", num_classes=8, task="segment", sizes=(64, 16), widths=(8, 16)).double().eval()
with torch.no_grad():
    before = sprin(x.double(), cone.double())
    after = sprin(x.double(), cone.double() @ exact.mT)
error = float((after - before).norm() / before.norm())
print(f"SPRIN, features of 1024 points after a turn: off by {error:.0e}")
assert error < 1e-10

# %%
# Up to the band: functions on shells
# -----------------------------------
# A cloud is sampled on spherical shells by windows that do not see how dense it is. Windows as wide in longitude at the
# poles as at the equator, and boxes with edges, are what it costs not to take care.

KINDS = {
    "round windows": {},
    "not widened near the poles": {"adaptive": False},
    "boxes, as published": {"window": "box"},
}


def missed(band, options):
    """How far features of points move, as a share of how much they differ from point to point."""
    torch.manual_seed(0)
    net = st.create_model("prin", task="segment", band=band, widths=(4, 4), **options)
    with torch.no_grad():
        for norm in net.norms:
            norm.momentum = 1.0
        net(x, cone)  # statistics of the norms
        net.eval()
        f = net.features(x, cone)
        return float((net.features(x, cone @ turn.mT) - f).norm() / (f - f.mean(0)).norm()), net, f


bands = [4, 6, 8, 10, 12]
axis = figure.add_subplot(1, 3, 3)
for name, options in KINDS.items():
    errors = [missed(b, options)[0] for b in bands]
    axis.loglog(bands, errors, "o-", ms=4, label=name)
    print(f"PRIN, {name}: " + ", ".join(f"b = {b}: {e:.3f}" for b, e in zip(bands, errors, strict=True)))
axis.set(xlabel="band b", title="PRIN: features move by", ylim=(0.01, 1), xticks=bands, xticklabels=bands)
axis.minorticks_off()
axis.legend(frameon=False, fontsize=8)
plt.show()

# %%
# What a point knows
# ------------------
# One of the features, on the cloud and on the turned cloud: colours stay with the points.

error, net, f = missed(10, {})
with torch.no_grad():
    again = net.features(x, cone @ turn.mT)
channel = int(f.std(0).argmax())
figure = plt.figure(figsize=(7, 3.2), layout="constrained")
for k, (title, p, c) in enumerate((("as it is", cone, f), ("turned", cone @ turn.mT, again)), 1):
    axis = figure.add_subplot(1, 2, k, projection="3d")
    low, high = f[:, channel].quantile(0.02), f[:, channel].quantile(0.98)
    axis.scatter(*p.T, s=7, c=c[:, channel], vmin=low, vmax=high)
    axis.set(title=title)
    axis.set(xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), zlim=(-0.9, 0.9))
    axis.set_box_aspect((1, 1, 1), zoom=1.25)
    axis.set_axis_off()
plt.show()
assert error < 0.1
