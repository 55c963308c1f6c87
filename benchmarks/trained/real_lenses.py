"""Lens candidates through `steerable predict`: a finder learned from CFHTLS, and a classifier of dark matter on fits.

Run: ``python -m benchmarks.trained.real_lenses FOLDER`` with STEERABLE_DATA set; about ten minutes on one core.

* The finder (``lensing/finder``, three seeds) answers to the CFHTLS candidates of its test part, to twelve bright
  arcs (some of them were trained on), and to the ground-based samples of the lens-finding
  challenge, whose bands i, r, g take the place of red, green, blue: another survey, another scale of brightness.
* A classifier of dark matter is trained on simulated lenses with the pixels and seeing of the space-based samples, and
  sees what a blind fit with light of the lens leaves of the real ones. Its training lenses do not shine and have no
  neighbours: where the fit says that more than noise is left, the answer means nothing, and that is what is shown.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.macro_fit import ARCS
from steerable.data.cfhtls import cfhtls
from steerable.run.cli import main as steerable


def data(name: str) -> dict[str, np.ndarray]:
    """Read one file of the folder strong_lenses."""
    return dict(np.load(Path(os.environ["STEERABLE_DATA"]) / "strong_lenses" / name))


def run(*arguments: str) -> None:
    """Run one command and stop if it fails."""
    if status := steerable([str(a) for a in arguments]):
        sys.exit(status)


def predict(run_folder: Path, images: Path, *more: str) -> list[dict[str, Any]]:
    """Rows of the catalogue of some images."""
    out = images.with_suffix(".parquet")
    run("predict", run_folder, images, f"--out={out}", "--overwrite", "--skip-bad", *more)
    return pq.read_table(out).to_pylist()


def auc(score: torch.Tensor, truth: torch.Tensor) -> float:
    """Share of pairs (lens, none) in the right order."""
    pairs = score[truth == 1][:, None] - score[truth == 0]
    return float((pairs > 0).double().mean() + 0.5 * (pairs == 0).double().mean())


def finder(folder: Path) -> None:
    """Train the finder and answer to arcs and to the challenge."""
    if not (folder / "finder").exists():
        run("fit", "--config=lensing/finder", f"--out={folder / 'finder'}", "--seeds", "0", "1", "2")
    run("evaluate", folder / "finder")
    candidates = data("cfhtls_spacewarps_candidates.npz")
    rows = list(ARCS)
    arcs = folder / "arcs.npy"
    np.save(arcs, np.moveaxis(candidates["x"][rows], -1, 1))
    found = predict(folder / "finder", arcs, "--resize=crop")
    test = cfhtls().test
    print("| arc | grade | p(lens) | spread |\n|---|---|---|---|")
    for i, row in zip(rows, found, strict=True):
        print(f"| {candidates['name'][i]} | {candidates['grade'][i]:.1f} | {row['p_lens']:.2f} | {row['spread']:.2f} |")
    print(f"({len(test)} candidates are in the test part)")
    challenge = data("lens_finding_challenge_sample.npz")
    ground = folder / "ground.npy"
    bands = [list(challenge["bands_ground"]).index(b) for b in "IRG"]
    np.save(ground, challenge["x_ground"][:, bands])
    found = predict(folder / "finder", ground, "--resize=crop")
    score = torch.tensor([row["p_lens"] for row in found])
    truth = torch.from_numpy(challenge["y_ground"].astype(np.int64))
    print(f"challenge, ground: {len(found)} samples, {int(truth.sum())} lenses, AUC {auc(score, truth):.2f}")


def dark_matter(folder: Path) -> None:
    """Train on lenses with the pixels of the space-based samples, and answer to these."""
    if not (folder / "space").exists():
        sky = {"pixels": 96, "pixel_scale": 0.1, "psf_fwhm": 0.18, "theta_e": [0.7, 1.8], "source_radius": [0.1, 0.4],
               "halo_field": 2.2, "peak_snr": 30}  # fmt: skip
        run("simulate", "lensing", f"--out={folder / 'space-set'}", *(f"--settings.{k}={v}" for k, v in sky.items()))
        run("fit", "--config=lensing/classify", f"--data.root={folder / 'space-set'}", f"--out={folder / 'space'}",
            "--seeds", "0", "1", "2")  # fmt: skip
    run("evaluate", folder / "space")
    challenge = data("lens_finding_challenge_sample.npz")
    cutouts = folder / "space.npy"
    np.save(cutouts, challenge["x_space"] / np.abs(challenge["x_space"]).max())
    found = predict(folder / "space", cutouts, "--resize=crop", "--lens-light=1")
    print("| sample | lens | theta_E | chi2/px | fit | answer |\n|---|---|---|---|---|---|")
    for name, lens, row in zip(challenge["id_space"], challenge["y_space"], found, strict=True):
        answer = "-" if row["prediction"] is None else f"{row['prediction']} {row['p_' + row['prediction']]:.2f}"
        print(f"| {name} | {lens} | {row['theta_e']:.2f} | {row['chi2_per_pixel']:.2f} | {row['reason']} | {answer} |")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    finder(place)
    dark_matter(place)
