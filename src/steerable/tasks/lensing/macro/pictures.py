"""Data, model and residual side by side, as PNG bytes. Matplotlib is imported when the first one is drawn."""

from __future__ import annotations

import io
import textwrap

import torch
from torch import Tensor

from steerable.tasks.lensing.macro.point_images import PointFit
from steerable.tasks.lensing.macro.result import MacroFit

__all__ = ["fit_picture", "quad_picture"]


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


def quad_picture(
    image: Tensor, pixel_scale: float, positions: Tensor, fit: PointFit, centre: Tensor, title: str = ""
) -> bytes:
    """PNG of a quad: the image with observed and predicted positions, and their differences in milliarcseconds.

    Args:
        image: [n, n], row 0 at the top.
        pixel_scale: arcsec per pixel.
        positions: [K, 2] observed positions, arcsec from the centre of the image, x right, y up.
        fit: of this one quad.
        centre: [2] observed position of the lens galaxy.
        title: one line.
    """
    from matplotlib.figure import Figure

    half = 0.5 * image.shape[-1] * pixel_scale
    figure = Figure(figsize=(9.4, 4.3), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2)
    noise = float((image - image.median()).abs().median()) * 1.4826
    left.imshow(torch.asinh(image / (3 * noise)).numpy(), cmap="Greys", extent=(-half, half, -half, half))
    lens, source = fit.parameters[0, 5:7].tolist(), fit.parameters[0, 7:9].tolist()
    predicted = fit.predicted[0]
    left.plot(*positions.T.tolist(), "o", mfc="none", color="#2a6fbb", markersize=13, label="observed images")
    left.plot(*predicted.T.tolist(), "+", color="#c8553d", markersize=10, label="model images")
    left.plot(*centre.tolist(), "s", mfc="none", color="#2a6fbb", markersize=9, label="lens galaxy, observed")
    left.plot(*lens, "x", color="#c8553d", label="lens, model")
    left.plot(*source, "*", color="#e0a030", markersize=10, label="source")
    angle = torch.linspace(0.0, 2.0 * torch.pi, 200)
    theta_e = float(fit.parameters[0, 0])
    circle = (lens[0] + theta_e * angle.cos()).tolist(), (lens[1] + theta_e * angle.sin()).tolist()
    left.plot(*circle, color="#4c8c4a", linewidth=0.8, label=f'theta_E = {theta_e:.3f}"')
    left.legend(fontsize=7, loc="upper left")
    left.set_xlabel("arcsec")
    left.set_title(title, fontsize=9)
    difference = 1e3 * (positions - predicted)
    right.axhline(0.0, color="0.8", linewidth=0.8)
    right.axvline(0.0, color="0.8", linewidth=0.8)
    for i, (dx, dy) in enumerate(difference.tolist()):
        right.plot(dx, dy, "o", color="#c8553d")
        right.annotate(f"image {i + 1}, mu {float(fit.magnification[0, i]):+.1f}", (dx, dy), fontsize=8)
    reach = 1.3 * float(difference.abs().max()) + 1e-6
    right.set_xlim(-reach, 1.8 * reach)
    right.set_ylim(-reach, reach)
    right.set_xlabel("observed - model, x (mas)")
    right.set_ylabel("y (mas)")
    right.set_title(
        f"rms {1e3 * float(fit.rms[0]):.2f} mas per coordinate, {fit.degrees} degree(s) of freedom", fontsize=9
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
