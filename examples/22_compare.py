"""
A fair comparison
=================

``steerable compare`` trains the networks of a plan on the same images, each tuned alike on validation, with several
seeds, and writes one table and one figure. Here a plan of seconds: arms that bend to the left or to the right,
turned by random quarters, under noise.
"""

# %%
# Images of the user: a folder with ``train.npz``, ``val.npz`` and ``test.npz``.
import contextlib
import io
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import yaml

from steerable.run.cli import main

folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)
for part, count in (("train", 120), ("val", 90), ("test", 240)):
    x = 0.4 * rng.standard_normal((count, 17, 17)).astype(np.float32)
    y = np.arange(count) % 2
    for image, label in zip(x, y, strict=True):
        place = rng.integers(7, 10, 2)
        for k in range(-3, 4):
            # an arm that bends to the left or to the right, turned by a random quarter
            bend = (k * k // 4) * (1 if label else -1)
            image[(place[0] + k) % 17, (place[1] + bend * (k > 0)) % 17] += 1.5
        image[:] = np.rot90(image, rng.integers(4))
    np.savez(folder / f"{part}.npz", x=x, y=y, classes=np.array(["left", "right"]))

# %%
# The plan: networks, sizes, seeds, one grid for all, and the networks that the others are measured against.
options = {"fields": [4, 6, 6], "kernels": [5, 5, 5], "pool_after": [1], "hidden": 16}
plan = {
    "out": str(folder / "comparison"),
    "base": {
        "data": {"name": "folder", "root": str(folder)},
        "train": {"epochs": 8, "batch_size": 16, "lr": 0.01, "device": "cpu"},
    },
    "networks": {
        "C4": {"model": {"name": "steerable_cnn", "group": "C4", "options": options}},
        "plain": {"model": {"name": "steerable_cnn_plain", "options": {**options, "group": "C4"}}},
        "plain, turned": {
            "model": {"name": "steerable_cnn_plain", "options": {**options, "group": "C4"}},
            "train": {"augment": "turn"},
        },
    },
    "sizes": [20, 60],
    "seeds": [0, 1],
    "reference": ["plain", "plain, turned"],
}
(folder / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as complaint:
    status = main(["compare", str(folder / "plan.yaml")])
assert status == 0, complaint.getvalue()
print((folder / "comparison" / "table.md").read_text())

# %%
# The figure that the command wrote.
plt.figure(figsize=(7, 5))
plt.imshow(plt.imread(folder / "comparison" / "curves.png"))
plt.axis("off")
plt.show()
