"""
Fine-tuning on a folder of your own images
==========================================

A folder with one sub-folder for each class, a network that was trained on something else, one command. The images here
are drawn: a network learns four kinds of polygons first, then meets a folder of three kinds of stars with few images,
of unlike sizes, depths and colours, as folders are. What is gained is measured against the same network without its
past.
"""

import json
import re
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from steerable.run.cli import main

place = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)


def draw(corners, depth, side=33):
    """A shape at a random angle and place: a polygon (depth 0) or a star whose rays have the given depth."""
    up, right = np.mgrid[0:side, 0:side] - (side - 1) / 2
    x, y = right - rng.uniform(-3, 3), up - rng.uniform(-3, 3)
    angle = np.arctan2(y, x) + rng.uniform(0, 2 * np.pi)
    wave = np.cos(corners * angle)
    edge = 10 * rng.uniform(0.8, 1.1) * (1 - depth * (0.5 - 0.5 * wave) - 0.12 * (1 - wave) / corners)
    shape = 1 / (1 + np.exp(2 * (np.hypot(x, y) - edge)))
    return np.clip(0.15 + 0.6 * shape + 0.12 * rng.standard_normal((side, side)), 0, 1)


# %%
# A network with a past
# ---------------------
# As typed in a shell: ``steerable fit --data.name folder ...``. Three, five, seven and nine corners, 100 images each.

(place / "polygons").mkdir()
for part, n in (("train", 100), ("val", 25), ("test", 25)):
    kinds = (3, 5, 7, 9)
    x = np.stack([draw(kinds[k % 4], 0.35) for k in range(4 * n)]).astype(np.float32)
    np.savez(place / "polygons" / part, x=x, y=np.arange(4 * n) % 4, classes=np.array([f"corners{c}" for c in kinds]))
network = ["--model.name=steerable_cnn", "--model.group=D4"]
network += ['--model.options={"fields": [2, 3, 4, 4], "kernels": [5, 5, 5, 5], "pool_after": [1, 2]}']
main(["fit", "--data.name=folder", f"--data.root={place / 'polygons'}", *network, f"--out={place / 'past'}",
      "--train.epochs=9", "--train.batch_size=50", "--train.device=cpu"])  # fmt: skip

# %%
# A folder, as folders are
# ------------------------
# Stars of four, six and eight rays: 44, 30 and 30 images, of which 40 % are for training, of two sizes, of 8 and
# 16 bits, some of them coloured.

for rays, n in ((4, 44), (6, 30), (8, 30)):
    folder = place / "stars" / f"rays{rays}"
    folder.mkdir(parents=True)
    for k in range(n):
        image = draw(rays, 0.35, 33 if k % 4 else 50)
        if k % 3 == 0:
            Image.fromarray((65535 * image).astype(np.uint16)).save(folder / f"{k:02d}.png")
        elif k % 3 == 1:
            Image.fromarray(np.dstack(3 * [(255 * image).astype(np.uint8)])).save(folder / f"{k:02d}.png")
        else:
            Image.fromarray((255 * image).astype(np.uint8)).save(folder / f"{k:02d}.png")

# %%
# One command
# -----------
# ``steerable fit --config folder --data.root stars --from past``. The config freezes the network for two epochs while
# the new last layer settles, then lets it learn slowly; it weighs rare classes, turns the images, stops when validation
# no longer improves, fits a temperature, and writes a page. Beside it the same without ``--from``.

common = [f"--data.root={place / 'stars'}", "--train.device=cpu", "--train.epochs=24"]
common += ["--data.options.fractions=[0.4,0.3,0.3]"]
main(["fit", "--config=folder", f"--from={place / 'past'}", f"--out={place / 'tuned'}", *common])
main(["fit", "--config=folder", f"--out={place / 'new'}", *common, *network, "--data.options.side=33",
      "--data.options.colour=grey"])  # fmt: skip
main(["evaluate", str(place / "tuned"), str(place / "new")])

records = {name: json.loads((place / name / "run.json").read_text()) for name in ("tuned", "new")}
for name, record in records.items():
    found, c = json.loads((place / name / "evaluation.json").read_text()), record["calibration"]
    print(f"{name:<6} accuracy {found['accuracy']:.3f} on {found['images']} test images; temperature "
          f"{c['temperature']:.2f}, calibration error there {found['ece']:.3f}")  # fmt: skip
assert records["tuned"]["start"]["head"] == "new"
assert records["tuned"]["preprocessing"] == json.loads((place / "past" / "run.json").read_text())["preprocessing"]

# %%
# What the page shows
# -------------------
# ``report.html`` holds the confusion matrix, a reliability diagram, and of each class the images that the network is
# least sure of, with the names of their files: a wrong label is found here first. It needs no network connection.

page = (place / "tuned" / "report.html").read_text()
names = re.findall(r"<figcaption><b>(.*?)</b>.*?<br>(.*?)</figcaption>", page)
print(f"{len(page) / 1024:.0f} KiB, {len(names)} images, the first: {names[0][1]} as {names[0][0]}")

figure, axes = plt.subplots(3, 6, figsize=(7.5, 4.2), layout="constrained")
for row, kind in zip(axes, ("rays4", "rays6", "rays8"), strict=True):
    shown = [(answer, name) for answer, name in names if name.startswith(kind)]
    for cell in row:
        cell.axis("off")
    for cell, (answer, name) in zip(row, shown, strict=False):
        picture = np.asarray(Image.open(place / "stars" / name)).astype(float)
        cell.imshow(picture if picture.ndim == 2 else picture[..., 0], cmap="gray")
        cell.set_title(answer, fontsize=7, color="black" if answer.startswith(kind) else "#c8553d")
figure.suptitle("least sure of, by true class (red: wrong)", fontsize=9)
plt.show()
