"""
Features that turn with the image
=================================

A galaxy is turned; what happens to the features? Those of a plain network change into something else. Those of a
steerable network turn with the galaxy. Neither network has been trained: the property is in the layers, not in
the data.
"""

import math
import sys

import matplotlib.pyplot as plt
import torch
from torch import nn

import steerable as st

torch.manual_seed(5)
SIDE = 101


def galaxy(angle):
    """A barred spiral ``[1, 1, 101, 101]``, turned by ``angle`` before it is sampled: nothing is interpolated."""
    points = st.domains.PixelGrid(SIDE, SIDE).points() / (SIDE / 2)
    c, s = math.cos(angle), math.sin(angle)
    x, y = c * points[..., 0] + s * points[..., 1], c * points[..., 1] - s * points[..., 0]
    r = torch.sqrt(x**2 + y**2 + 1e-4)
    phase = torch.atan2(y, x) - 2.2 * torch.log(r / 0.15)
    arms = torch.exp(2.5 * (torch.cos(2 * phase) - 1)) * (1 + 0.5 * torch.cos(phase + 0.5)) * torch.exp(-3.0 * r)
    bar = torch.exp(-((x * 0.9 + y * 0.4) ** 2) / 0.02 - ((y * 0.9 - x * 0.4) ** 2) / 0.003)
    clump = sum(0.8 * torch.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.003)
                for a, b in ((0.45, 0.3), (-0.1, -0.6), (0.2, 0.55)))  # fmt: skip
    fade = torch.sigmoid(25 * (0.85 - r))
    image = (2.2 * arms + bar + clump + 1.2 * torch.exp(-((r / 0.1) ** 2))) * fade
    return image[None, None].sqrt().float()


# %%
# Two networks with the same layers and the same channels: three kernels of side 7, batch norm, ReLU, three maps at
# the end.

G = st.C(16)
image, deep, maps = 1 * G.trivial, 4 * G.regular, 3 * G.trivial
ours = st.nn.Sequential(
    st.nn.Conv2d(image, deep, 7, padding=3), st.nn.BatchNorm(deep), st.nn.ReLU(deep),
    st.nn.Conv2d(deep, deep, 7, padding=3), st.nn.BatchNorm(deep), st.nn.ReLU(deep),
    st.nn.Conv2d(deep, maps, 7, padding=3))  # fmt: skip
plain = nn.Sequential(
    nn.Conv2d(1, 64, 7, padding=3), nn.BatchNorm2d(64), nn.ReLU(),
    nn.Conv2d(64, 64, 7, padding=3), nn.BatchNorm2d(64), nn.ReLU(),
    nn.Conv2d(64, 3, 7, padding=3))  # fmt: skip

angles = [0, 45, 100, 160, 225, 300]
scenes = torch.cat([galaxy(math.radians(a)) for a in angles])
features = {}
for name, net in (("plain CNN", plain), ("steerable, C(16)", ours)):
    net(scenes)  # one batch, for the statistics of the norm
    features[name] = net.eval()(scenes).detach()

# %%
# How much changes beside the turn itself: each set of features is turned back and compared with the first.

SO2 = st.SO2()
grid = st.domains.PixelGrid(SIDE, SIDE)
disc = grid.disc(4)


def change(f):
    """Relative change of each picture against the first, after turning back."""
    back = [grid.move(f[i : i + 1].double(), SO2, torch.tensor(-math.radians(a), dtype=torch.float64)) * disc
            for i, a in enumerate(angles)]  # fmt: skip
    centred = (back[0] - back[0].sum((-2, -1), keepdim=True) / disc.sum()) * disc
    return [((b - back[0]).norm() / centred.norm()).item() for b in back]


changes = {name: change(f) for name, f in features.items()}
for name, values in changes.items():
    print(f"{name:16}", "  ".join(f"{a:3d}: {v:.3f}" for a, v in zip(angles, values, strict=True)))
assert max(changes["steerable, C(16)"]) < 0.05 < 0.5 < min(changes["plain CNN"][1:])

# %%
# Three maps are shown as red, green and blue. Below: how much they change beside the turn.

figure, axes = plt.subplots(3, len(angles), figsize=(9, 4.9), layout="constrained")
rows = {"the image": scenes, **features}
for row, (name, f) in zip(axes, rows.items(), strict=True):
    outside = ~disc.expand_as(f)
    sky = f[0, :, 0, SIDE // 2][:, None, None]  # what an empty patch gives is shown grey
    scale = (f - sky)[:, :, disc].abs().quantile(0.995, dim=-1).mean(0)[:, None, None]
    for i, (ax, angle) in enumerate(zip(row, angles, strict=True)):
        picture = (f[i] - sky) / scale if name == "the image" else 0.75 + 0.75 * (f[i] - sky) / scale
        picture = picture.clamp(0, 1).masked_fill(outside[i], 1.0)
        ax.imshow(picture.expand(3, -1, -1).permute(1, 2, 0) if f.shape[1] == 3 else picture[0], cmap="gray")
        ax.set(xticks=[], yticks=[])
        ax.set_frame_on(False)
        if name == "the image":
            ax.set_title(f"turned by {angle}°", fontsize=9)
        elif i:
            ax.set_xlabel(f"changes by {100 * changes[name][i]:.0f} %", fontsize=9)
    row[0].set_ylabel(name, fontsize=10)
if len(sys.argv) > 1:  # python 09_features_that_turn.py turn.png
    figure.savefig(sys.argv[1], dpi=84)
plt.show()
