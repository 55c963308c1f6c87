"""Pixels and point-spread function of an observed image, at full or binned resolution."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from steerable.tasks.lensing.render import blur, pixel_grid, psf_matrix
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["Optics", "binned"]


def binned(image: Tensor, factor: int) -> Tensor:
    """Mean over blocks of factor x factor pixels of [B, n, n]; a rest that fills no block is cut from all sides."""
    n = image.shape[-1]
    m = n // factor
    cut = (n - m * factor) // 2
    image = image[..., cut : cut + m * factor, cut : cut + m * factor]
    return image.unflatten(-2, (m, factor)).unflatten(-1, (m, factor)).mean((-3, -1))


@dataclasses.dataclass(frozen=True)
class Optics:
    """Where the pixels lie and what the point-spread function does to a map.

    Attributes:
        x: [n, n] right-hand coordinate of the pixel centres, arcsec.
        y: [n, n] upward coordinate; row 0 has the highest y.
        pixel_scale: arcsec per pixel.
        matrix: [n, n] one-dimensional factor of a Gaussian point-spread function, or None.
        kernel: [h, w] point-spread function as an image of odd sides that sums to one, or None.
    """

    x: Tensor
    y: Tensor
    pixel_scale: float
    matrix: Tensor | None
    kernel: Tensor | None = None

    @classmethod
    def build(
        cls, pixels: int, pixel_scale: float, psf: float | Tensor, dtype: torch.dtype = torch.float64, factor: int = 1
    ) -> Optics:
        """Optics of an image of `pixels` squared, binned by `factor`.

        Binning is a box of `factor` samples, of variance (factor^2 - 1) / 12 pixels^2: that is added to the variance
        of a Gaussian point-spread function. An image of the point-spread function is replaced, where binned, by the
        Gaussian of its second moment.

        Args:
            pixels: side of the image before binning.
            pixel_scale: arcsec per pixel before binning.
            psf: full width at half maximum in arcsec (0 for none), or an image [h, w] of odd sides.
            dtype: of all computations.
            factor: binning.

        Raises:
            ValueError: when the pixel scale or the width makes no sense, when the point-spread function is larger
                than the image, or its image has even sides, NaN or no flux.
        """
        if not (math.isfinite(pixel_scale) and pixel_scale > 0):
            raise ValueError(f"macro fit: got pixel_scale={pixel_scale}; expected arcsec per pixel, above 0")
        if isinstance(psf, Tensor):
            kernel = _checked_kernel(psf, pixels)
            fwhm = _second_moment(kernel) * pixel_scale * math.sqrt(8.0 * math.log(2.0))
        else:
            kernel, fwhm = None, float(psf)
            if not (math.isfinite(fwhm) and fwhm >= 0):
                raise ValueError(f"macro fit: got a PSF of FWHM {fwhm} arcsec; expected a number of at least 0")
            if fwhm >= pixels * pixel_scale:
                raise ValueError(
                    f"macro fit: the PSF (FWHM {fwhm:g} arcsec) is larger than the image ({pixels * pixel_scale:g} "
                    "arcsec); expected a narrower PSF or a wider cut-out: check the pixel scale"
                )
        if factor > 1:
            fwhm = math.sqrt(fwhm**2 + 8.0 * math.log(2.0) * (factor**2 - 1) / 12.0 * pixel_scale**2)
            kernel = None
        settings = LensSettings(pixels=pixels // factor, pixel_scale=pixel_scale * factor, psf_fwhm=fwhm)
        x, y = pixel_grid(settings, dtype)
        if kernel is not None:
            return cls(x, y, settings.pixel_scale, None, kernel.to(dtype))
        return cls(x, y, settings.pixel_scale, psf_matrix(settings, dtype) if fwhm > 0 else None)

    @staticmethod
    def width(psf: float | Tensor, pixel_scale: float) -> float:
        """Standard deviation in arcsec of a point-spread function given as for `build`."""
        if isinstance(psf, Tensor):
            kernel = psf.detach().double()
            return _second_moment(kernel / kernel.sum()) * pixel_scale
        return float(psf) / math.sqrt(8.0 * math.log(2.0))

    def blur(self, maps: Tensor) -> Tensor:
        """Apply the point-spread function to maps [..., n, n]; the border is continued by replication."""
        if self.kernel is not None:
            h, w = self.kernel.shape
            flat = maps.reshape(-1, 1, *maps.shape[-2:])
            padded = torch.nn.functional.pad(flat, (w // 2, w // 2, h // 2, h // 2), mode="replicate")
            # conv2d correlates: the kernel is turned so that a point becomes the kernel itself.
            return torch.nn.functional.conv2d(padded, self.kernel.flip(0, 1)[None, None]).reshape(maps.shape)
        return maps if self.matrix is None else blur(maps, self.matrix)


def _second_moment(kernel: Tensor) -> float:
    """Standard deviation in pixels, mean of both axes, of a normalised kernel."""
    h, w = kernel.shape
    rows = torch.arange(h, dtype=kernel.dtype)
    columns = torch.arange(w, dtype=kernel.dtype)
    profile_rows, profile_columns = kernel.sum(1), kernel.sum(0)
    variance = 0.5 * (
        (profile_rows * (rows - (profile_rows * rows).sum()) ** 2).sum()
        + (profile_columns * (columns - (profile_columns * columns).sum()) ** 2).sum()
    )
    return math.sqrt(max(float(variance), 0.0))


def _checked_kernel(psf: Tensor, pixels: int) -> Tensor:
    kernel = psf.detach().double()
    if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
        raise ValueError(f"macro fit: got a PSF image of shape {tuple(psf.shape)}; expected two odd sides")
    if max(kernel.shape) > pixels:
        raise ValueError(
            f"macro fit: the PSF image {tuple(psf.shape)} is larger than the image ({pixels} x {pixels}); expected a "
            "smaller PSF: cut its wings"
        )
    total = float(kernel.sum())
    if not (math.isfinite(total) and total > 0):
        raise ValueError(f"macro fit: the PSF image sums to {total}; expected finite values with a sum above 0")
    return kernel / total
