"""
One resampling, then an ordinary CNN
====================================

In log-polar coordinates turning and zooming are shifts. A network of convolutions there points at the angle and the
size of an object, and a new angle is no new problem.
"""

import math

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains import PixelGrid, Warp

torch.manual_seed(0)
SIDE = 48
pixels = (PixelGrid(SIDE, SIDE).points() * 2 / SIDE).float()


def arrows(size, angle):
    """Blobs with a bright front: ``[B, 1, 48, 48]`` for logarithms of sizes and angles ``[B]``."""
    a = torch.stack((size, angle), -1)
    x = Warp.log_polar().act(-a[:, None, None], pixels)
    body = torch.exp(-((x[..., 0] / 0.3) ** 4) - (x[..., 1] / 0.12) ** 4)
    front = torch.exp(-(((x[..., 0] - 0.2) / 0.1) ** 2) - (x[..., 1] / 0.12) ** 2)
    return (0.7 * body + front + 0.08 * torch.randn(body.shape))[:, None]


# %%
# What the network sees: down is the logarithm of the radius, across is the angle, which closes on itself.

warp = Warp.log_polar(0.05)
poses = torch.tensor([[0.0, 0.0], [0.0, 1.2], [0.0, 2.4], [-0.5, 0.0], [0.4, 0.0]])
images = arrows(*poses.T)
look = st.nn.WarpImage(warp, (32, 64), image_side=SIDE)
figure, axes = plt.subplots(2, 5, figsize=(8, 2.9), layout="constrained")
for (top, bottom), image, (size, angle) in zip(axes.T, images, poses, strict=True):
    top.imshow(image[0], cmap="gray")
    bottom.imshow(look(image[None])[0, 0], cmap="magma", aspect="auto")
    top.set_title(f"{math.exp(size):.1f}x, {math.degrees(angle):.0f} deg", fontsize=9)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Trained on a fan, tested on the circle
# --------------------------------------
# All training objects point between -45 and 45 degrees. The ordinary network with dense layers has seen no other
# angle; the warped one has nothing new to see.


class Dense(torch.nn.Module):
    """Two strided convolutions and dense layers: the logarithm of the size, and a direction."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 12, 5, 2, 2), torch.nn.ReLU(), torch.nn.Conv2d(12, 16, 5, 2, 2), torch.nn.ReLU(),
            torch.nn.AvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(576, 32), torch.nn.ReLU(),
            torch.nn.Linear(32, 3))  # fmt: skip

    def forward(self, x):
        """``[B, 1, 48, 48]`` to size and angle ``[B, 2]``."""
        y = self.net(x)
        return torch.stack((y[:, 0], torch.atan2(y[:, 2], y[:, 1])), -1)


def misses(found, size, angle):
    """Errors of the logarithm of the size, and of the angle around the circle."""
    return found[:, 0] - size, torch.remainder(found[:, 1] - angle + math.pi, 2 * math.pi) - math.pi


def draw(count, fan):
    """Random sizes and angles."""
    return (torch.rand(count) * 2 - 1) * 0.4, (torch.rand(count) * 2 - 1) * fan


nets = {
    "warped": st.create_model("warped_cnn", head="pose", num_classes=2, widths=(8, 12, 16, 16), image_side=SIDE),
    "dense": Dense(),
}
for net in nets.values():
    optimiser = torch.optim.AdamW(net.parameters(), 6e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=100)
    for _ in range(100):
        size, angle = draw(24, math.pi / 4)
        ds, da = misses(net(arrows(size, angle)), size, angle)
        loss = ds.abs().mean() + da.abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    net.eval()

size, angle = draw(300, math.pi)
test = arrows(size, angle)
figure, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
errors = {}
with torch.no_grad():
    for name, net in nets.items():
        da = misses(net(test), size, angle)[1].rad2deg()
        seen = angle.abs() < math.pi / 4
        errors[name] = (da[seen].abs().median().item(), da[~seen].abs().median().item())
        count = sum(p.numel() for p in net.parameters())
        inside, outside = errors[name]
        print(f"{name}: {count:,} parameters, median error {inside:.1f} degrees within the fan, {outside:.1f} outside")
        ax.plot(angle.rad2deg(), da, ".", ms=3, label=name)
ax.axvspan(-45, 45, color="0.9", label="trained")
ax.set(xlabel="angle (degrees)", ylabel="error (degrees)", xlim=(-180, 180))
ax.legend()
plt.show()
assert errors["warped"][1] < 5 < errors["dense"][1]

# %%
# Coordinates of your own
# -----------------------
# Two generators that commute have common coordinates. Those of a rotation and a shear do not commute: there are none,
# and the error says so.

spiral = Warp.from_generators([[1, 0], [0, 1]], [[-0.5, -1.25], [1, 0.5]], x0=(0.6, 0.2), u=(-2, 0), v=(-3, 3))
print(st.nn.WarpImage(spiral, (32, 64))(images).shape)
try:
    Warp.from_generators([[0, -1], [1, 0]], [[0, 1], [0, 0]], x0=(1, 0))
except ValueError as error:
    print(error)
else:
    raise SystemExit("a rotation and a shear were accepted")
