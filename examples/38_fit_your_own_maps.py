"""
Your own maps of the sphere, from files to a network
====================================================

Maps in ``.npz`` files, one command, and a network that was asked about a globe turned any way. Here the maps are made
up: a height, and the wind that blows along its contours, as in the high atmosphere.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import steerable as st
from steerable.run.cli import main
from steerable.run.store import load
from steerable.tasks.sky import draw_field, draw_map

sphere = st.Sphere.gauss(16)
south, east, up = sphere.frames().unbind(-1)


def weather(count, seed):
    """Heights: waves in space, winds: their gradients turned by a quarter, stronger where it is high."""
    g = torch.Generator().manual_seed(seed)
    waves, amplitudes, phases = 2 * torch.randn(count, 6, 3, generator=g), *torch.rand(2, count, 6, generator=g)
    angle = torch.einsum("nwi,tpi->nwtp", waves.double(), up) + 6.28 * phases[..., None, None]
    height = (amplitudes[..., None, None] * angle.sin()).sum(1)
    slope = torch.einsum("nw,nwtp,nwi->ntpi", amplitudes.double(), angle.cos(), waves.double())
    wind = torch.stack([-(slope * east).sum(-1), (slope * south).sum(-1)], 1)
    return height[:, None].float(), (wind * (1 + 0.3 * height[:, None])).float()


folder = Path("maps")
folder.mkdir()
for part, count, seed in (("train", 48, 0), ("val", 8, 1), ("test", 16, 2)):
    x, y = weather(count, seed)
    y[:, :, :1] = torch.nan  # no wind is known on the northernmost ring
    np.savez(folder / f"{part}.npz", x=x, y=y)

# %%
# One command
# -----------
# ``target_type`` says that the two numbers at every sample are one vector, along south and east. The run tells the
# network the sampling and the types.

words = ["--data.name=sphere", f"--data.root={folder}", "--data.options.sampling=gauss(16)"]
words += ["--data.options.target_type=1x1", "--data.target=y"]
model = ["--model.name=sphere_unet", '--model.options={"widths": [4, 6], "kernel_size": 5}']
train = ["--train.epochs=15", "--train.batch_size=8", "--train.lr=0.01", "--train.device=cpu"]
main(["fit", *words, *model, *train, "--out=runs/wind"])
main(["evaluate", "runs/wind"])

# %%
# Both floors stand beside the network: no constant vector turns with the sphere, so the constant is zero; the linear
# one is the best isotropic filter, and the gradient is one. The turned test part tells whether directions are known.

found = json.loads(Path("runs/wind/evaluation.json").read_text())
floors = found["floors"]
assert found["rmse"] < 0.8 * floors["linear"]["rmse"] < floors["constant"]["rmse"]
assert abs(found["rmse_turned"] / found["rmse"] - 1) < 0.1

# %%
# The answer as a map
# -------------------

network, record = load("runs/wind")
x, y = weather(1, 2)
with torch.no_grad():
    answer = network(x)[0]
figure = plt.figure(figsize=(9, 2.8), layout="constrained")
for k, (title, field) in enumerate((("truth", y[0]), ("answer", answer))):
    axes = figure.add_subplot(1, 2, k + 1, projection="mollweide")
    draw_map(axes, x[0, 0], sphere, cmap="coolwarm")
    draw_field(axes, field, sphere, color="#1c2430")
    axes.set_title(title)
plt.show()
