"""The Gaussian point-spread function as one matrix for both axes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["blur", "gaussian_matrix"]


def gaussian_matrix(pixels: int, fwhm: float) -> Tensor:
    """[pixels, pixels] float64 matrix of a Gaussian of `fwhm` **pixels** along one axis, cut at 5 sigma.

    The border is continued by *replication*: the sky does not end at the edge of the field, and zeros there would
    darken the border by up to a fifth of the peak. Equals scipy's `gaussian_filter1d(mode="nearest", truncate=5)`.

    Raises:
        ValueError: a width that is negative, not finite or larger than the image.
    """
    if not 0.0 <= fwhm < math.inf:
        raise ValueError(f"point-spread function: fwhm is {fwhm} pixels; expected a finite number of at least 0")
    if fwhm > pixels:
        raise ValueError(
            f"point-spread function: fwhm is {fwhm:.4g} pixels and the image has {pixels}; expected one that fits in: "
            "check the units (arcsec) and the pixel scale"
        )
    if fwhm == 0.0:
        return torch.eye(pixels, dtype=torch.float64)
    sigma = fwhm / math.sqrt(8.0 * math.log(2.0))
    reach = int(5.0 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    taps = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    taps = taps / taps.sum()
    matrix = torch.zeros(pixels, pixels, dtype=torch.float64)
    rows = torch.arange(pixels)
    for offset, tap in zip(offsets.tolist(), taps.tolist(), strict=True):
        matrix[rows, (rows + offset).clamp(0, pixels - 1)] += tap
    return matrix


def blur(image: Tensor, psf: Tensor) -> Tensor:
    """Apply `psf` [n, n] along both axes of an image [..., n, n]."""
    return psf @ image @ psf.T
