"""What a real image needs before a fit: noise, background, masks and a colour in which the lens is dark."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["annulus", "border_noise", "outside_discs", "without_lens_colour"]

_SMALLER = 0.9  # from which the scatter of second differences tells that there is light in the border


def border_noise(image: Tensor, width: int | None = None) -> tuple[Tensor, Tensor]:
    """(background [B], sigma [B]) of images [B, n, n] from their border: its median, and its scatter.

    The scatter is the first of two, or the second where that is a tenth smaller: light in the border raises the first.
    (The smaller of both would be 1.5 % too low on mere noise.) The first: values further than 3 sigma from the median
    are dropped, again and again until none is left, and sigma is 1.4826 times the median absolute deviation of the
    rest: the standard deviation of Gaussian noise. The second: the same deviation of second differences between pixels
    three apart along the border, which smooth light leaves alone. Noise that is correlated over more than two pixels is
    larger than this figure says.

    Args:
        image: [B, n, n].
        width: of the border in pixels; a tenth of the side by default.

    Raises:
        ValueError: when the border is as wide as the image, or constant, so that it says nothing about noise.
    """
    if image.ndim != 3:
        raise ValueError(f"border_noise: got an image of shape {tuple(image.shape)}; expected [B, n, n]")
    n = image.shape[-1]
    width = max(2, n // 10) if width is None else width
    if not 0 < width < n / 2:
        raise ValueError(f"border_noise: got width={width} for {n} pixels; expected 1 to {max(1, (n - 1) // 2)}")
    inner = torch.zeros(image.shape[-2:], dtype=torch.bool, device=image.device)
    inner[width:-width, width:-width] = True
    border = image[:, ~inner].double()
    levels, sigmas = [], []
    for i, row in enumerate(border):
        values = row[torch.isfinite(row)]
        if values.numel() < 8:
            raise ValueError(f"border_noise: image {i} has {values.numel()} finite pixels in its border; expected 8")
        for _ in range(20):
            level = values.median()
            sigma = 1.4826 * (values - level).abs().median()
            kept = values[(values - level).abs() <= 3.0 * sigma]
            if kept.numel() in (0, values.numel()):
                break
            values = kept
        if not float(sigma) > 0:  # most of the border has one value, as in clipped images: the scatter of the rest
            other = row[torch.isfinite(row) & (row != level)]
            if other.numel() < 8:
                raise ValueError(
                    f"border_noise: the border of image {i} is constant ({float(level):g}); expected noise there: "
                    "pass sigma yourself"
                )
            sigma = (other - level).abs().median()
        smooth = _second_differences(image[i].double(), width)
        scatter = 1.4826 * smooth[torch.isfinite(smooth)].abs().median() if smooth.numel() else sigma
        levels.append(level)
        sigmas.append(scatter if 0 < float(scatter) < _SMALLER * float(sigma) else sigma)
    return torch.stack(levels).to(image.dtype), torch.stack(sigmas).to(image.dtype)


def _second_differences(image: Tensor, width: int) -> Tensor:
    """(x[-3] - 2 x[0] + x[3]) / sqrt(6) along the four sides of a border: of the variance of white noise."""
    lag = 3
    strips = (image[:width], image[-width:], image.T[:width], image.T[-width:])
    rows = [(s[:, : -2 * lag] - 2.0 * s[:, lag:-lag] + s[:, 2 * lag :]).flatten() for s in strips]
    return torch.cat(rows) / math.sqrt(6.0)


def annulus(
    pixels: int, pixel_scale: float, inner: float, outer: float, centre: tuple[float, float] = (0.0, 0.0)
) -> Tensor:
    """[n, n] bool mask, True between `inner` and `outer` arcsec from `centre` (x right, y up, arcsec).

    With inner > 0 the light of the lens is hidden; with outer below the field, neighbours are.
    """
    if not 0.0 <= inner < outer:
        raise ValueError(f"annulus: got inner={inner}, outer={outer}; expected 0 <= inner < outer, in arcsec")
    ticks = (torch.arange(pixels, dtype=torch.float64) - (pixels - 1) / 2) * pixel_scale
    r = torch.hypot(ticks - centre[0], ticks.flip(0)[:, None] - centre[1])
    return (r >= inner) & (r <= outer)


def outside_discs(pixels: int, pixel_scale: float, discs: list[tuple[float, float, float]]) -> Tensor:
    """[n, n] bool mask, False within the given discs (x, y, radius) in arcsec: hides neighbours that are no arcs."""
    mask = torch.ones(pixels, pixels, dtype=torch.bool)
    for x, y, radius in discs:
        mask &= ~annulus(pixels, pixel_scale, 0.0, radius, (x, y))
    return mask


def without_lens_colour(blue: Tensor, red: Tensor, pixel_scale: float, radius: float = 0.8) -> tuple[Tensor, Tensor]:
    """(blue - k red [B, n, n], k [B]): the image in which a lens galaxy of one colour is dark.

    k is the ratio of both bands, above their backgrounds, within `radius` arcsec of the centre, by least squares. What
    has another colour remains, positive where it is bluer than the lens. Bands that were stretched before they were
    stored (colour composites) have no exact k: expect a rest at the centre and mask it.
    """
    if blue.shape != red.shape or blue.ndim != 3:
        raise ValueError(
            f"without_lens_colour: got bands {tuple(blue.shape)} and {tuple(red.shape)}; expected [B, n, n] twice"
        )
    n = blue.shape[-1]
    disc = annulus(n, pixel_scale, 0.0, max(radius, 1.5 * pixel_scale * math.sqrt(2.0)))
    level_blue, level_red = border_noise(blue)[0], border_noise(red)[0]
    blue, red = blue - level_blue[:, None, None], red - level_red[:, None, None]
    b, r = blue[:, disc], red[:, disc]
    k = (b * r).sum(1) / (r * r).sum(1).clamp_min(1e-30)
    k = k.clamp_min(0.0)
    return blue - k[:, None, None] * red, k
