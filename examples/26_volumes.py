"""
Solids in a box, turned
=======================

Eight solids drawn in voxels: which one is it? Two networks with as many parameters learn from upright solids, and are
asked about turned ones. Two of the solids are mirror images of each other, so distances alone would not do.
"""

import math

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.groups import convert_rotation
from steerable.tasks.volumes import SOLIDS
from steerable.tasks.volumes.synthetic import grid, occupied

SIDE = 11
voxels = grid(SIDE)


def solids(count, turn, seed):
    """Volumes ``[count, 1, 11, 11, 11]`` of solids turned by ``[3, 3]`` before they are sampled, and which they are."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % len(SOLIDS)
    scale = 1 + 0.2 * (torch.rand(count, 3, generator=generator, dtype=torch.float64) - 0.5)
    centre = 0.2 * (torch.rand(count, 3, generator=generator, dtype=torch.float64) - 0.5)
    x = [
        occupied(list(SOLIDS)[k], voxels, turn, turn @ c, s, 2 / SIDE) for k, c, s in zip(y, centre, scale, strict=True)
    ]
    x = torch.stack(x).float()[:, None]
    return x + 0.1 * torch.randn(x.shape, generator=generator), y


def about(axis, degrees):
    """The rotation ``[3, 3]`` by an angle about an axis."""
    axis = torch.tensor(axis, dtype=torch.float64)
    return convert_rotation(math.radians(degrees) * axis / axis.norm(), "vector", "matrix")


upright = torch.eye(3, dtype=torch.float64)
tilted = about((1.0, 0.4, 0.0), 55.0)
figure, axes = plt.subplots(2, 8, figsize=(10.5, 3.1), layout="constrained")
for row, turn, what in zip(axes, (upright, tilted), ("learned", "asked"), strict=True):
    for axis, x, name in zip(row, solids(8, turn, 0)[0], SOLIDS, strict=True):
        axis.imshow(x[0].mean(1), cmap="magma", vmin=0, vmax=0.75, origin="lower")  # seen along x2
        axis.set(xticks=[], yticks=[], title=name.replace("_", " ") if what == "learned" else "")
    row[0].set_ylabel(what)
plt.show()

# %%
# Two networks
# ------------
# ``volume_cnn`` holds scalars, vectors and tensors of SO(3). Its twin has the same layers without symmetry.

x, y = solids(320, upright, 1)
nets = {}
for name in ("volume_cnn", "volume_cnn_plain"):
    torch.manual_seed(0)
    net = st.create_model(name, group="SO3", num_classes=8, widths=(4, 6), kernel_size=3, pool_after=(1,))
    steps = 60
    optimiser = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-2, total_steps=steps)
    for _ in range(steps):
        some = torch.randperm(len(x))[:24]
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x[some]), y[some]).backward()
        optimiser.step()
        schedule.step()
    nets[name] = net.eval()

# %%
# Turned by any angle
# -------------------
# Quarter turns carry voxels to voxels: the answers of the steerable network stay, to rounding. Between them voxels are
# coarse, and it holds on as well as eleven voxels let it.

angles = list(range(0, 181, 20))
score = {name: [] for name in nets}
with torch.no_grad():
    for degrees in angles:
        test, truth = solids(96, about((1.0, 2.0, 0.0), degrees), 2)
        for name, net in nets.items():
            score[name].append(float((net(test).argmax(1) == truth).float().mean()))
    test, truth = solids(96, upright, 2)
    moved = torch.rot90(test, 1, (2, 3))
    change = {name: float((net(moved) - net(test)).abs().max()) for name, net in nets.items()}

figure, axis = plt.subplots(figsize=(6.4, 3.3), layout="constrained")
for name, color in (("volume_cnn", "C0"), ("volume_cnn_plain", "C1")):
    count = sum(p.numel() for p in nets[name].parameters())
    axis.plot(angles, score[name], "o-", ms=4, color=color, label=f"{name}, {count} parameters")
    right = sum(score[name]) / len(angles)
    print(f"{name:17} upright {score[name][0]:.2f}, mean over angles {right:.2f}", end=", ")
    print(f"a quarter turn moves the logits by {change[name]:.0e}")
axis.axhline(1 / 8, color="0.6", ls="--", lw=1, label="chance")
axis.set(
    xlabel="angle of the solids about an oblique axis", ylabel="share right", xticks=range(0, 181, 45), ylim=(0, 1.03)
)
axis.legend(frameon=False, loc=(0.02, 0.18), fontsize=8)
plt.show()
assert change["volume_cnn"] < 1e-4 < change["volume_cnn_plain"]
assert sum(score["volume_cnn"]) > sum(score["volume_cnn_plain"]) + 0.03 * len(angles)
