"""
Wide residual networks that give up symmetry stage by stage
===========================================================

``D8 D4 D1``: eight rotations and a reflection for the first stage, where edges look alike in all directions; quarter
turns for the second; only the reflection for the third, where up and down begin to mean something.
"""

import warnings

import matplotlib.pyplot as plt
import torch

import steerable as st

torch.manual_seed(0)
net = st.create_model("wrn10_1", groups=("D8", "D4", "D1"), in_channels=1, num_classes=4).double().eval()
for stage in net.stages:
    print(f"{stage.out_type.group.name}: {stage.out_type}")

# %%
# What each stage knows
# ---------------------
# A map turns with the image as long as the group of its stage knows the turn. Errors to rounding, or not at all.

x = torch.randn(1, 1, 33, 33, dtype=torch.float64)
grid, d4, maps = st.domains.PixelGrid.of(x), st.D(4), net.features(x)
table = []
for g in d4.elements:
    after = net.features(grid.move(x, d4, g))
    row = []
    for m, n in zip(maps, after, strict=True):
        # strength at each position: the same pattern, turned, whatever the channels do
        before, found = (t.square().sum(1, keepdim=True) for t in (m, n))
        row.append(((grid.move(before, d4, g) - found).norm() / found.norm()).item())
    table.append(row)
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
names = ["1", "90", "180", "270", "flip", "flip 90", "flip 180", "flip 270"]
for i, stage in enumerate(net.stages):
    errors = [max(row[i], 1e-17) for row in table]
    axes.semilogy(names, errors, "o", ms=5, label=f"stage {i + 1}: {stage.out_type.group.name}")
axes.set(ylabel="relative error", ylim=(1e-18, 10))
axes.legend(frameon=False, ncols=3, loc="center")
plt.show()
assert all(row[0] < 1e-10 and row[1] < 1e-10 for row in table)
assert table[4][2] < 1e-10 < table[1][2]  # the reflection stays, the quarter turn is gone

# %%
# Nothing is lost where symmetry is given up: ``Restrict`` only changes the order of the channels.

restrict = net.stages[1][0]
print(restrict)
assert torch.equal(restrict(maps[0]).sort(1).values, maps[0].sort(1).values)

# %%
# Sides
# -----
# Two strides of 2 want sides that are 1 modulo 4. What to do with an image of 32 pixels:

small = torch.randn(1, 1, 32, 32, dtype=torch.float64)
for what, options in {
    "as it is": {},
    "padded to 33": {"fit": "pad"},
    "resampled to 33": {"fit": "resample"},
    "blurred downsampling": {"down": "blur"},
}.items():
    model = st.create_model("wrn10_1", group="D4", in_channels=1, num_classes=4, **options).double().eval()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        y = model(small)
    change = ((model(torch.rot90(small, 1, (-2, -1))) - y).norm() / y.norm()).item()
    print(f"{what:21} scores change by {change:.0e} under a quarter turn{', and it warned' if told else ''}")
    assert (change < 1e-10) == (what in ("resampled to 33", "blurred downsampling")) == (not told)

# %%
# The published networks
# ----------------------
# As many parameters as the plain network, or (star) as many channels.

for name in st.list_models("wrn16_8_stl*"):
    print(f"{name:24} {st.models.describe_model(name)}; sides {st.models.example_side(name)}")
plain, ours, star = (
    sum(p.numel() for p in st.create_model(name, **options).parameters())
    for name, options in (
        ("wrn10_4_plain", {}),
        ("wrn10_4", {"groups": ("D8", "D4", "D1")}),
        ("wrn10_4", {"groups": ("D8", "D4", "D1"), "match": "channels"}),
    )
)
print(f"10-4: plain {plain}, D8 D4 D1 {ours}, with equal channels {star} parameters")
assert abs(ours / plain - 1) < 0.03
