"""
Your own volumes, from files to a network
=========================================

A folder with one sub-folder for each class, one command, and a network that gives the same answer however a volume
lies. Here the volumes are made up, left- and right-handed screws, and written as ``.npy``; MRC files are read just so.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from steerable.run.cli import main
from steerable.run.store import load
from steerable.tasks.volumes.synthetic import grid, occupied, turns

SIDE = 13
voxels = grid(SIDE)
generator = torch.Generator().manual_seed(0)
folder = Path("screws")
shown = {}
for name in ("left", "right"):
    (folder / name).mkdir(parents=True)
    for k, turn in enumerate(turns(40, "any", generator)):
        scale = 0.95 + 0.1 * torch.rand(3, generator=generator, dtype=torch.float64)
        x = occupied(f"helix_{name}", voxels, turn, torch.zeros(3, dtype=torch.float64), scale, 2 / SIDE)
        x = x + 0.05 * torch.randn(x.shape, generator=generator)
        np.save(folder / name / f"{k:02d}.npy", x.float())
        shown[name] = x

figure, axes = plt.subplots(1, 2, figsize=(5, 2.6), layout="constrained")
for axis, (name, x) in zip(axes, shown.items(), strict=True):
    axis.imshow(x.amax(0), cmap="magma")
    axis.set(xticks=[], yticks=[], title=f"{name}, seen along x3")
plt.show()

# %%
# One command
# -----------
# ``volume_folder`` splits the files by class, and brings each volume to mean 0 and standard deviation 1. A screw is not
# its mirror image, so the group is O, the 24 rotations of the cube, and not Oh: with mirrors nothing could tell them.

words = ["--config=volume_folder", f"--data.root={folder}", f"--data.options.side={SIDE}"]
model = ['--model.options={"widths": [1, 3], "kernel_size": 5, "pool_after": [1]}']
train = ["--train.epochs=15", "--train.lr=0.02", "--train.device=cpu"]
main(["fit", *words, *model, *train, "--out=runs/screws"])
main(["evaluate", "runs/screws"])
found = json.loads(Path("runs/screws/evaluation.json").read_text())
print(f"right {found['accuracy']:.2f}; a turn of the cube moves the logits by {found['logit_error']:.0e}")
assert found["logit_error"] < 1e-4

# %%
# The mirror image of a screw
# ---------------------------
# Reading an array whose y grows along the rows as if it fell (``axes``) shows the network mirror images.

network, record = load("runs/screws")
x = torch.stack([shown["left"], shown["left"].flip(-2)])[:, None].float()
x = (x - x.mean()) / x.std()
with torch.no_grad():
    p = network(x).softmax(1)
for what, row in zip(("left", "its mirror image"), p, strict=True):
    print(f"{what:16}", "  ".join(f"{c} {float(v):.2f}" for c, v in zip(record["classes"], row, strict=True)))
