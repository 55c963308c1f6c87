"""
Gravitational lenses: simulate, subtract, classify
==================================================

A galaxy bends the light of another one behind it into arcs. Small clumps of dark matter in the lens bend it a
little more. Which kind of dark matter is it: none in clumps, cold dark matter halos, or a vortex of an ultra-
light axion? Here on a toy scale; ``steerable demo`` is the honest run.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.tasks.floor import best_floor
from steerable.tasks.lensing import CLASSES, LensSettings, simulate
from steerable.tasks.lensing.residual import BANNERS

print(BANNERS["fit_residual"])

# %%
# Simulate
# --------
# Everything is drawn from priors in :class:`steerable.tasks.lensing.LensSettings`; lengths are in arcseconds. Image
# ``i`` of a class depends on (seed, split, class, i) alone, so a larger set begins with the images of a smaller
# one. Each image comes with what a **blind fit** of a smooth lens leaves of it, in units of the noise: the fit knows
# the pixels, the seeing and the noise, and nothing of the truth.

settings = LensSettings()
print(f"{settings.pixels} pixels of {settings.pixel_scale} arcsec, peak signal to noise {settings.peak_snr}")
train = simulate(80, seed=0, split="train")
validation, test = simulate(20, seed=0, split="validation"), simulate(40, seed=0, split="test")
print(f"{train.fit_converged.sum()} of {len(train)} fits converged")
print(train.image.shape, train.fit_residual.shape, [int((train.label == k).sum()) for k in range(3)])

# %%
# What the eye sees, and what is left after the best smooth lens has been subtracted. The difference between the
# classes is in the residual.

figure, axes = plt.subplots(2, 6, figsize=(9, 3.3), layout="constrained")
for k, name in enumerate(CLASSES):
    for j, n in enumerate((train.label == k).nonzero()[:2, 0].tolist()):
        axes[0, 2 * k + j].imshow(train.image[n], cmap="inferno")
        axes[1, 2 * k + j].imshow(train.fit_residual[n], cmap="RdBu_r", vmin=-5, vmax=5)
        axes[0, 2 * k + j].set_title(name, fontsize=9)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("image")
axes[1, 0].set_ylabel("residual / noise")
plt.show()

# %%
# Classify
# --------
# A network with the symmetries of the square, and a bar that it has to clear: a linear model on global statistics of
# the residual, which sees no pattern at all.

torch.manual_seed(0)
net = st.create_model("lens_cnn", group="D4", in_channels=1, num_classes=3)
optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-4)
epochs, batches = 15, 8
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=epochs * batches)
x, y = train.inputs("fit_residual"), train.label
for _ in range(epochs):
    for index in torch.randperm(len(y)).chunk(batches):
        loss = torch.nn.functional.cross_entropy(net(x[index]), y[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
net.eval()
with torch.no_grad():
    scores = net(test.inputs("fit_residual"))
    turned = net(torch.rot90(test.inputs("fit_residual"), 1, (-2, -1)))
seen = [(part.fit_residual, part.label) for part in (train, validation)]
floor = best_floor(*seen)(test.fit_residual)
print(f"accuracy on {len(test)} test images: network {(scores.argmax(1) == test.label).float().mean():.2f}, "
      f"linear floor {(floor.argmax(1) == test.label).float().mean():.2f}, chance 0.33")  # fmt: skip
print(f"answers that change when the sky is turned by 90 degrees: {(scores.argmax(1) != turned.argmax(1)).sum()}")
assert (scores.argmax(1) == turned.argmax(1)).all()

# %%
# With 120 test images the standard error is near 0.04, so this shows that it works and no more. ``steerable
# demo`` trains on 200 images a class, with a plain network and an augmented one beside, on the same measure.
