"""Figures of the report page, as PNG bytes. Matplotlib is imported when the first one is drawn; pyplot is not used."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from steerable.run.calibrate import reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, RED, GREY = "#2a6fbb", "#c8553d", "#9aa4b1"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=110)


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def confusion_picture(confusion: list[list[int]], classes: list[str]) -> bytes:
    """Counts ``[K][K]``, row = truth, coloured by their share of the row; written out up to 20 classes."""
    table = np.array(confusion)
    k = len(classes)
    side = min(11.0, max(3.6, 1.6 + 0.62 * k))
    figure = new_figure(side + 0.6, side)
    axes = figure.subplots()
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if k <= 20:
        for i in range(k):
            for j in range(k):
                shade = "white" if share[i, j] > 0.55 else "#1c2430" if table[i, j] else "#b8c0ca"
                axes.text(j, i, str(table[i, j]), ha="center", va="center", color=shade, fontsize=9)
    names = [c if len(c) <= 18 else c[:17] + "…" for c in classes]
    step = max(1, k // 25)
    axes.set_xticks(range(0, k, step), names[::step], rotation=40 if k > 3 else 0, ha="right" if k > 3 else "center")
    axes.set_yticks(range(0, k, step), names[::step])
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return png_bytes(figure)


def reliability_picture(logits: Tensor, y: Tensor, temperature: float | None) -> bytes:
    """Accuracy against confidence, in bins, before and (with a temperature) after calibration, and how many images.

    Args:
        logits: ``[N, K]``, before the temperature.
        y: labels ``[N]``.
        temperature: None: the run was not calibrated.
    """
    figure = new_figure(4.6, 4.8)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    top.plot((0, 1), (0, 1), color=GREY, linewidth=1, linestyle=":", label="as sure as right")
    series = [("as trained", logits, GREY if temperature is not None else BLUE, "s")]
    if temperature is not None:
        series.append((f"with temperature {temperature:.2f}", logits / temperature, BLUE, "o"))
    width = 0.8 / (10 * len(series))
    for i, (label, z, colour, mark) in enumerate(series):
        probability = z.double().softmax(1)
        rows = reliability(probability, y, 10)
        x, right = [r["confidence"] for r in rows], [r["accuracy"] for r in rows]
        # the standard error of a share, with one image right and one wrong added: three of three prove little
        share = [(r["accuracy"] * r["images"] + 1) / (r["images"] + 2) for r in rows]
        bar = [(s * (1 - s) / (r["images"] + 2)) ** 0.5 for s, r in zip(share, rows, strict=True)]
        top.errorbar(x, right, bar, color=colour, marker=mark, markersize=5, linewidth=1.4, capsize=2, label=label)
        places = [r["from"] + 0.01 + (i + 0.5) * width for r in rows]
        bottom.bar(places, [r["images"] for r in rows], width, color=colour)
    top.set_ylabel("share that is right")
    top.set_ylim(-0.03, 1.03)
    top.legend(fontsize=8, loc="upper left")
    top.grid(alpha=0.3)
    bottom.set_xlim(0, 1)
    bottom.set_xlabel("confidence: probability of the predicted class")
    bottom.set_ylabel("images")
    return png_bytes(figure)


def learning_picture(folder: Path, best: int) -> bytes | None:
    """Losses of training and validation against the epoch, with the kept one marked; None where there is no log."""
    lines: dict[str, dict[int, float]] = {"train_loss": {}, "val_loss": {}}
    for path in sorted(folder.glob("log*/metrics.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name, held in lines.items():
                    if row.get(name):
                        held[int(row["epoch"]) + 1] = float(row[name])
    if not lines["val_loss"]:
        return None
    figure = new_figure(4.6, 3.2)
    axes = figure.subplots()
    for held, colour, label in zip(lines.values(), (GREY, BLUE), ("training", "validation"), strict=True):
        axes.plot(list(held), list(held.values()), color=colour, marker=".", label=label)
    axes.axvline(best, color=RED, linewidth=1, linestyle="--", label=f"kept: epoch {best}")
    values = [v for held in lines.values() for v in held.values()]
    if 0 < 100 * min(values) < max(values):  # the first epochs would hide all others
        axes.set_yscale("log")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return png_bytes(figure)


def thumbnail(image: Tensor) -> bytes:
    """An image ``[C, H, W]`` as the eye sees it: one or three channels (others: their mean), from dark to bright."""
    from matplotlib.image import imsave

    x = image.double()
    x = x if x.shape[0] in (1, 3) else x.mean(0, keepdim=True)
    low, high = (float(torch.quantile(x.flatten()[:: max(1, x.numel() // 100_000)], q)) for q in (0.005, 0.995))
    x = ((x - low) / (high - low if high > low else 1.0)).clamp(0, 1)
    pixels = (255 * x.expand(3, -1, -1)).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png")
    return buffer.getvalue()
