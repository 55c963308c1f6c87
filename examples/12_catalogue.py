"""
From a folder of FITS cut-outs to a catalogue
=============================================

What a survey hands over is a folder of images. Here a network is trained on simulated lenses, a smooth lens is fitted
to each cut-out without knowing anything but its pixels, the network looks at what the fit leaves, and all of it ends
in one Parquet file. The cut-outs are simulated, too, so that the catalogue can be held against the truth.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as pq
import torch
from astropy.io import fits

from steerable.run.cli import main
from steerable.tasks.lensing import CLASSES, LensSettings, draw_scenes, observe

place = Path(tempfile.mkdtemp())

# %%
# Train
# -----
# Two commands, as they would be typed in a shell: ``steerable simulate lensing ...`` and ``steerable fit ...``. Each
# set holds the residual of a blind fit of every image, which is what the network learns from.

sizes = ["--train=32", "--validation=16", "--test=16"]
main(["simulate", "lensing", f"--out={place / 'set'}", *sizes])
main(
    ["fit", "--config=lensing/classify", f"--data.root={place / 'set'}", f"--out={place / 'run'}", "--train.epochs=10"]
)

# %%
# A folder of FITS files
# ----------------------
# Any unit will do. Here twelve lenses that the network has not seen, with a background and a gain of their own. FITS
# puts the lowest row of the sky first, our images the highest: they are turned over.

settings = LensSettings()
(place / "cutouts").mkdir()
truth = {}
for k, name in enumerate(CLASSES):
    drawn = draw_scenes(settings, k, range(4), seed=99, split="test")
    image = 37.0 + 900.0 * observe(drawn, settings)[0]
    for i in range(4):
        fits.PrimaryHDU(image[i].flip(0).numpy()).writeto(place / "cutouts" / f"{name}-{i}.fits")
        truth[f"{name}-{i}.fits"] = (name, float(drawn.macro[i, 0]))

# %%
# The catalogue
# -------------
# ``steerable predict RUN FOLDER --out FILE``. The pixel scale and the seeing are those of the cut-outs.

out = place / "catalogue.parquet"
main(["predict", str(place / "run"), str(place / "cutouts"), f"--out={out}", "--pixel-scale=0.05", "--psf-fwhm=0.087"])
rows = pq.read_table(out).to_pylist()
print(f"{'id':<14}{'prediction':<12}{'p':>5}{'theta_E':>10}{'+-':>8}{'truth':>8}{'chi2':>7}  converged")
for row in rows:
    name, radius = truth[row["id"]]
    print(f"{row['id']:<14}{row['prediction']:<12}{row['p_' + row['prediction']]:5.2f}{row['theta_e']:10.4f}"
          f"{row['theta_e_error']:8.4f}{radius:8.4f}{row['chi2_per_pixel']:7.2f}  {row['converged']}")  # fmt: skip

# %%
# The Einstein radii of smooth lenses are those of the truth, to their errors; clumps move them a little, because the
# smooth model takes up what it can. Pixels that stand out from the noise raise chi2: the network reads those.

off = np.array([row["theta_e"] - truth[row["id"]][1] for row in rows])
chi2 = np.array([row["chi2_per_pixel"] for row in rows])
figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
for name in CLASSES:
    mine = [i for i, row in enumerate(rows) if truth[row["id"]][0] == name]
    axes.plot(1e3 * off[mine], chi2[mine], "o", label=name)
axes.set(xlabel="fitted minus true Einstein radius (milliarcsec)", ylabel="chi2 per pixel")
axes.legend()
plt.show()
assert all(row["converged"] for row in rows)
assert abs(off).max() < 0.1

# %%
# An image that cannot be used stops the command with one line that names it; with ``--skip-bad`` it becomes a row with
# the reason. Several seeds (``--seeds 0 1 2`` in fit) answer with their mean, and their spread is a column.

torch.set_printoptions(precision=3)
print(pq.read_schema(out).names)
