"""
The rotation of a thing in a picture
====================================

One depth image, one lopsided thing: how is it turned? Features of the image are put on the half of a sphere that it
shows, and correlated with a learned signal in 60 orientations. The best one, and a learned offset, are the answer.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.nn import PoseHead, pose_error
from steerable.tasks.poses import draw_views, render_depth

SIDE, SHAPE = 32, "plane"
images, rotations, kind = draw_views(1000, 0, SIDE, (SHAPE,))
tested, truth, _ = draw_views(200, 1, SIDE, (SHAPE,))

# %%
# The nearest of the 60 rotations of the icosahedron is 31 degrees off, in the median, even if one knows the truth: the
# offsets carry the precision.

head = PoseHead("I")
floor = torch.rad2deg(pose_error(truth, head.elements[head.labels(truth).argmax(-1)]))
print(f"the nearest of 60: median {floor.median():.0f} degrees")

# %%
# A short training. Labels are soft at the borders between the 60 cells. The twin has the same encoder and as many
# parameters, and regresses the rotation.

errors, nets = {}, {}
for name in ("image_to_icosahedral", "image_to_icosahedral_plain"):
    torch.manual_seed(0)
    net = st.create_model(name, side=SIDE, widths=(16, 32), channels=8)
    steps = 90
    optimiser = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(0, len(images), (32,))
        optimiser.zero_grad()
        net.loss(images[rows], rotations[rows], kind[rows], width=0.35).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        nets[name] = net.eval().pose(tested)
    errors[name] = torch.rad2deg(pose_error(truth, nets[name]))
    print(f"{name:27} {sum(p.numel() for p in net.parameters()):6} parameters", end=", ")
    print(f"median error {errors[name].median():.0f} degrees")
errors["constant"] = torch.rad2deg(pose_error(truth, rotations[:1].expand_as(truth)))

# %%
# What it saw, and the thing as it believes it to be turned.

figure = plt.figure(figsize=(9.4, 3.4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
for column in range(6):
    for row, (what, picture) in enumerate(
        {
            "seen": tested[column, 0],
            "believed": render_depth(SHAPE, nets["image_to_icosahedral"][column : column + 1], SIDE)[0, 0],
        }.items()
    ):
        axis = left.add_subplot(2, 6, 6 * row + column + 1)
        axis.imshow(picture, cmap="magma", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[], ylabel=what if column == 0 else "")
        if row:
            axis.set_xlabel(f"{errors['image_to_icosahedral'][column]:.0f}°")
axis = right.add_subplot()
share = torch.linspace(0, 1, len(truth))
for name, found in errors.items():
    axis.plot(found.sort().values, share, label=name)
axis.axvline(float(floor.median()), color="0.6", ls="--", lw=1, label="nearest of 60, median")
axis.set(xlabel="error in degrees", ylabel="share of 200 new views", xlim=(0, 180), ylim=(0, 1))
axis.legend(frameon=False, fontsize=7, loc="lower right")
plt.show()
assert errors["image_to_icosahedral"].median() < 0.7 * errors["constant"].median()
