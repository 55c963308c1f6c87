"""Data, model and residual side by side, as PNG bytes. Matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import io
import textwrap

import torch
from torch import Tensor

from steerable.tasks.lensing.macro.result import MacroFit

__all__ = ["fit_picture"]


def fit_picture(
    image: Tensor,
    fit: MacroFit,
    pixel_scale: float,
    titles: list[str] | None = None,
    mask: Tensor | None = None,
    columns: int = 1,
) -> bytes:
    """PNG with one row of panels per image: data, smooth model, residual in units of the noise, and the plain word.

    Args:
        image: [B, n, n] as it was fitted.
        fit: of those images.
        pixel_scale: arcsec per pixel.
        titles: one line per image.
        mask: as given to the fit; hidden pixels are grey in the residual.
        columns: images side by side.
    """
    from matplotlib.figure import Figure

    b, n = image.shape[0], image.shape[-1]
    if b != len(fit):
        raise ValueError(f"fit_picture: got {b} images and a fit of {len(fit)}; expected the images that were fitted")
    counted = torch.ones(n, n, dtype=torch.bool).expand(b, n, n) if mask is None else mask.expand(b, n, n)
    half = 0.5 * n * pixel_scale
    extent = (-half, half, -half, half)
    rows = -(-b // columns)
    figure = Figure(figsize=(7.6 * columns, 2.75 * rows), layout="constrained", dpi=100)
    grid = figure.subplots(rows, 3 * columns, squeeze=False)
    for cell in grid.flat:
        cell.set_axis_off()
    for i in range(b):
        cells = grid[i // columns][3 * (i % columns) : 3 * (i % columns) + 3]
        for cell in cells:
            cell.set_axis_on()
            cell.set_xticks([])
            cell.set_yticks([])
        noise = (image[i] - fit.model[i]) / fit.residual[i]
        sigma = float(noise[torch.isfinite(noise)].median())
        shown = torch.nan_to_num(image[i])[counted[i]]
        top = float(torch.asinh(shown.max() / (3 * sigma)))
        for cell, values in ((cells[0], image[i]), (cells[1], fit.model[i])):
            cell.imshow(torch.asinh(values / (3 * sigma)).numpy(), cmap="inferno", vmin=-0.5, vmax=top, extent=extent)
        residual = torch.where(counted[i], fit.residual[i], torch.full_like(fit.residual[i], float("nan")))
        cells[2].set_facecolor("0.7")
        cells[2].imshow(residual.numpy(), cmap="RdBu_r", vmin=-5, vmax=5, extent=extent)
        theta_e = float(fit["theta_e"][i])
        cells[0].set_title(titles[i] if titles else f"image {i}", fontsize=9)
        cells[1].set_title(f'theta_E {theta_e:.2f}", chi2/px {float(fit.chi2_per_pixel[i]):.2f}', fontsize=9)
        cells[2].set_title("residual, ±5σ", fontsize=9)
        cells[1].set_xlabel("\n".join(textwrap.wrap(fit.reason[i], 44)), fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
