"""
One kernel, many domains
========================

A kernel belongs to a group and two field types, not to a grid. Here the same weights act on pixels, on the points of
the pixels, on scattered points; then others on voxels and their points. Only the sum differs: over a window, or over
neighbours.
"""

import math

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains import PixelGrid, VoxelGrid

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)


def on_points(conv, reach):
    """The layer on points with the kernel, the filters and the weights of a layer on a grid."""
    layer = st.nn.PointConv(
        conv.in_type, conv.out_type, cutoff=reach, kernel_size=conv.kernel_size, dimension=conv.spatial,
        filters=conv.filters, spacing=1.0, smooth=False,
    )  # fmt: skip
    layer.load_state_dict(conv.state_dict())
    return layer


def scene(p):
    """A bright spiral of two arms ``[N]`` at points ``[N, 2]``, known everywhere in the plane."""
    r, phi = p.norm(dim=1), torch.atan2(p[:, 1], p[:, 0])
    return torch.exp(-((r / 8) ** 2)) * (1 + 0.9 * torch.cos(2 * phi - 0.55 * r))


# %%
# Pixels, and their points
# ------------------------
# From a scalar to a vector, O(2) allows a 5 x 5 kernel two numbers: one for each ring.

O2 = st.O2()
scalar, vector = 1 * O2.trivial, O2.type("1x1")
conv = st.nn.Conv2d(scalar, vector, 5, padding=2)
conv.weight.abs_()  # outwards on both rings: arrows point to where it is brighter

grid = PixelGrid(25, 25)
place = grid.points().view(-1, 2)
light = scene(place)
on_pixels = conv(light.view(1, 1, 25, 25))[0].flatten(1).T
layer = on_points(conv, 2.84)  # the corner of the window is sqrt(8) away
g = st.Points(place).neighbours(2.84, loop=True)
on_their_points = layer(light[:, None], g)
difference = float((on_pixels - on_their_points).abs().max())
print(f"{conv.weight.numel()} weights; pixels and their points differ by {difference:.0e}")
assert difference < 1e-12

# %%
# Points that lie anywhere
# ------------------------
# The same layer takes the scene at points that lie on no grid; each stands for some area, which keeps the sum an
# integral. The cloud may turn by any angle: positions turn, and the arrows turn with them, to rounding.


def arrows(points, targets=None):
    """The layer on the scene at the points of a cloud, for all of them or at other places."""
    pairs = points.neighbours(2.84, loop=True) if targets is None else points.cross(targets, 2.84)
    return layer(scene(points.positions)[:, None], pairs)


def scattered(count):
    """Random points of the square, each with its share of the area."""
    return st.Points((torch.rand(count, 2) - 0.5) * 25, weights=torch.full((count,), 25 * 25 / count))


loose = PixelGrid(34, 34).points().view(-1, 2) * 25 / 34
loose = loose + 0.5 * (torch.rand_like(loose) - 0.5)
loose = loose[loose.norm(dim=1) < 12.5]
cloud = st.Points(loose, weights=torch.full((len(loose),), (25 / 34) ** 2))
here = arrows(cloud)
turn = torch.tensor([math.radians(40.0), 0.0])  # of O(2): an angle, no flip
turned = cloud.moved(O2, turn)
there = layer(scene(cloud.positions)[:, None], turned.neighbours(2.84, loop=True))  # points keep their brightness
miss = float((there - vector.transform(here, turn)).norm() / there.norm())
print(f"a cloud turned by 40 degrees: arrows are off by {miss:.0e}")
assert miss < 1e-12

figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), layout="constrained")
panels = [("625 pixels", place, on_pixels, 1), (f"{len(cloud)} points", cloud.positions, here, 2),
          ("the points, turned by 40 degrees", turned.positions, there, 2)]  # fmt: skip
for panel, (title, p, v, step) in zip(axes, panels, strict=True):
    if panel is axes[0]:
        panel.imshow(light.view(25, 25), cmap="Blues", vmin=0, vmax=2, extent=(-12.5, 12.5, -12.5, 12.5))
    else:
        panel.scatter(*p.T, c=scene(cloud.positions), s=32, cmap="Blues", vmin=0, vmax=2, linewidths=0)
    panel.quiver(*p[::step].T, *v[::step].T, color="C3", width=0.005, scale=14 * float(v.norm(dim=1).max()))
    panel.set(title=title, aspect="equal", xlim=(-13, 13), ylim=(-13, 13))
    panel.axis("off")
plt.show()

# %%
# Scattered points are samples
# ----------------------------
# Equivariance is exact for every cloud. That its *numbers* are those of the pixels is a matter of sampling: the arrows
# at 225 pixels, from ever more random points, against the integral.

inner = st.Points(place[(place.abs() < 8).all(1)])
fine = PixelGrid(200, 200).points().view(-1, 2) / 8
integral = arrows(st.Points(fine, weights=torch.full((len(fine),), 1 / 64)), inner)
counts = [400, 1600, 6400, 25600, 60000]
misses = [float((arrows(scattered(n), inner) - integral).norm() / integral.norm()) for n in counts]
pixels = float((arrows(st.Points(place, weights=torch.ones(625)), inner) - integral).norm() / integral.norm())
for n, e in zip(counts, misses, strict=True):
    print(f"{n:7} random points: {e:.3f}")
print(f"    625 pixels:        {pixels:.3f}")
figure, axis = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
axis.loglog(counts, misses, "o-", ms=4, label="random points")
axis.loglog(counts, [misses[0] * (counts[0] / n) ** 0.5 for n in counts], "--", color="0.6", label="1 / sqrt(N)")
axis.loglog([625], [pixels], "s", color="C3", label="pixels")
axis.set(xlabel="samples", ylabel="relative distance to the integral")
axis.legend(frameon=False)
plt.show()
assert misses[-1] < misses[0] / 5

# %%
# One dimension up
# ----------------
# ``Conv3d`` is ``Conv2d`` with another dimension, and ``PointConv`` the same class: the group says where it acts. A
# screw in voxels, on the points of the voxels, and on loose points.

O3 = st.O3()
scalar, vector = 1 * O3.trivial, O3.type("1x1o")
conv = st.nn.Conv3d(scalar, vector, 3, padding=1)
conv.weight.abs_()
layer = on_points(conv, 1.74)  # sqrt(3) and a little


def screw(p):
    """Density ``[N]`` of a tube that winds about the third axis, at points ``[N, 3]``."""
    t = torch.linspace(-4.2, 4.2, 60)
    centres = torch.stack([3.6 * t.cos(), 3.6 * t.sin(), 1.1 * t], 1)
    return torch.exp(-(torch.cdist(p, centres).amin(1) ** 2) / 2)


grid = VoxelGrid(13, 13, 13)
place = grid.points().view(-1, 3)
on_voxels = conv(screw(place).view(1, 1, 13, 13, 13))[0].flatten(1).T
on_their_points = layer(screw(place)[:, None], st.Points(place).neighbours(1.74, loop=True))
difference = float((on_voxels - on_their_points).abs().max())

loose = st.Points(place + 0.6 * (torch.rand_like(place) - 0.5))
turn = O3.sample(1, torch.Generator().manual_seed(3))[0]
here = layer(screw(loose.positions)[:, None], loose.neighbours(1.74, loop=True))
moved = loose.moved(O3, turn)
there = layer(screw(loose.positions)[:, None], moved.neighbours(1.74, loop=True))
miss = float((there - vector.transform(here, turn)).norm() / there.norm())
print(f"voxels and their points differ by {difference:.0e}; a turned cloud is off by {miss:.0e}")
assert difference < 1e-12 and miss < 1e-12

back = torch.zeros(3, 3)  # channels of degree 1 are (x2, x3, x1): arrows in space want (x1, x2, x3)
back[0, 2] = back[1, 0] = back[2, 1] = 1
figure = plt.figure(figsize=(10.5, 3.6), layout="constrained")
clouds = [("voxels", place, place, on_voxels), ("loose points", loose.positions, loose.positions, here),
          ("the points, turned in space", moved.positions, loose.positions, there)]  # fmt: skip
for k, (title, p, seen, v) in enumerate(clouds, 1):
    axis = figure.add_subplot(1, 3, k, projection="3d", computed_zorder=False)
    density = screw(seen)
    bright = density > 0.3
    v = (v @ back.T)[bright]
    v = v / v.norm(dim=1).max()
    q = p[bright]
    axis.scatter(*q.T, c=density[bright], cmap="Blues", vmin=0, vmax=1, s=22, linewidths=0)
    axis.quiver(*q.T, *v.T, color="C3", linewidth=0.6)
    axis.set(title=title, xlim=(-5, 5), ylim=(-5, 5), zlim=(-5, 5))
    axis.set_box_aspect((1, 1, 1), zoom=1.3)
    axis.set_axis_off()
plt.show()
