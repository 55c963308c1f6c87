"""
Undo a pose that nobody told you
================================

An equivariant transformer finds a pose that follows the image, undoes it, and reads the image once. Rotation is
followed before any training; a shear has to be practised, because its axis has ends.
"""

import math

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains import PixelGrid, Warp

torch.manual_seed(0)
SIDE = 48
pixels = (PixelGrid(SIDE, SIDE).points() * 2 / SIDE).float()


def letter(x):
    """An F of Gaussian strokes at points ``[..., 2]``."""
    strokes = (((-0.15, -0.4), (-0.15, 0.4)), ((-0.15, 0.4), (0.25, 0.4)), ((-0.15, 0.05), (0.12, 0.05)))
    value = torch.zeros(x.shape[:-1])
    for start, end in (map(torch.tensor, s) for s in strokes):
        t = (((x - start) @ (end - start)) / (end - start).square().sum()).clamp(0, 1)
        value = torch.maximum(value, torch.exp(-(x - start - t[..., None] * (end - start)).square().sum(-1) / 0.005))
    return value


def moved(warp, a):
    """The letter under the maps T_a, for parameters ``[B, k]``: images ``[B, 1, 48, 48]``."""
    return letter(warp.act(-a[:, None, None], pixels))[:, None]


# %%
# Canonical coordinates
# ---------------------
# In the coordinates of its group a map is a shift. Eleven groups have them built in; each pair below is the letter and
# the moved letter, on the pixels and on a grid of (u, v).

SHOWN = {"rotation": 0.8, "scale": 0.4, "shear_x": 0.8, "hyperbolic_rotation": 0.4, "perspective_x": 0.7}
figure, axes = plt.subplots(4, len(SHOWN), figsize=(8, 6.2), layout="constrained")
for column, (name, a) in zip(axes.T, SHOWN.items(), strict=True):
    warp = getattr(Warp, name)()
    before, after = moved(warp, torch.tensor([[0.0], [a]]))[:, None]
    for row, image in ((0, before), (2, after)):
        column[row].imshow(image[0, 0], cmap="gray", extent=(-1, 1, -1, 1))
        chart = st.nn.WarpImage(warp, (48, 64), image_side=SIDE)(image)[0, 0]
        column[row + 1].imshow(chart, cmap="magma", aspect="auto")
    column[0].set_title(name, fontsize=9)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
for ax, text in zip(axes[:, 0], ("letter", "in (u, v)", "moved", "in (u, v)"), strict=True):
    ax.set_ylabel(text)
plt.show()

# %%
# Untrained, rotation is already followed
# ---------------------------------------
# Three random networks, twelve angles: the predicted pose grows as fast as the angle. An ordinary network that
# regresses the angle has nothing to hold on to.

turn = Warp.rotation()
angles = torch.linspace(-math.pi, math.pi, 13)[:-1, None]
images = moved(turn, angles)


def unwrapped_error(found):
    """How far the poses are from growing with the angle, in degrees."""
    miss = torch.remainder(found - found[:1] - (angles - angles[:1])[:, 0] + math.pi, 2 * math.pi) - math.pi
    return miss.abs().max().rad2deg().item()


for seed in range(3):
    torch.manual_seed(seed)
    follows = st.nn.PosePredictor(turn, 1, 16, size=(16, 128))
    follows(images)  # batch statistics
    with torch.no_grad():
        error = unwrapped_error(follows.eval()(images).params[:, 0])
    print(f"random network {seed}: off by at most {error:.1f} degrees")
    assert error < 3.6  # 1 % of the range

# %%
# A shear has to be practised
# ---------------------------
# The axis of slopes has ends. A little practice on pairs of images, with no label but how far apart they are, is
# enough.

shear = Warp.shear_x(reach=3.0)
torch.manual_seed(0)
predictor = st.nn.PosePredictor(shear, 1, 8, size=(24, 32), image_side=SIDE)
optimiser = torch.optim.Adam(predictor.parameters(), 1e-2)
schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, 80)


def practice(count):
    """Pairs of letters in random poses, and the shear between them."""
    tilt = 0.2 * torch.randn(count, 1)
    a = torch.rand(count, 1) * 2 - 1
    return moved(shear, tilt), moved(shear, tilt + a), a


with torch.no_grad():
    first, second, a = practice(64)
    start = (predictor(second).params - predictor(first).params - a).abs().mean().item()
for _ in range(80):
    first, second, a = practice(12)
    loss = (predictor(second).params - predictor(first).params - a).abs().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
predictor.eval()
with torch.no_grad():
    first, second, a = practice(64)
    error = (predictor(second).params - predictor(first).params - a).abs().mean().item()
print(f"mean error of the shear: {start:.3f} before, {error:.3f} after, of a range of {shear.v.length:.0f}")
assert error < 0.02 * shear.v.length

# %%
# In a row
# --------
# The shear is undone, then the rotation. The maps are multiplied and the image is read once, so nothing is blurred
# twice. Rows: as it came; without its shear; without its shear and rotation.

sheared = moved(shear, torch.tensor([[-0.8], [-0.4], [0.0], [0.4], [0.8]]))
upright = st.nn.TransformerSequence([predictor])
both = st.nn.TransformerSequence([predictor, follows])
with torch.no_grad():
    rows = [sheared, upright(sheared), both(sheared)]
    spread = [(r - r[2:3]).norm() / r.norm() for r in rows]
figure, axes = plt.subplots(3, 5, figsize=(6, 3.8), layout="constrained")
for line, row in zip(axes, rows, strict=True):
    for ax, image in zip(line, row, strict=True):
        ax.imshow(image[0], cmap="gray")
        ax.set(xticks=[], yticks=[])
for ax, text in zip(axes[:, 0], ("as it came", "no shear", "nor rotation"), strict=True):
    ax.set_ylabel(text, fontsize=9)
plt.show()
print("spread of the five images:", [round(float(s), 2) for s in spread])
assert spread[1] < 0.5 * spread[0]
