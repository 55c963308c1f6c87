"""The residual after the best smooth lens, linearised: what a network sees.

A real analysis fits a smooth lens and looks at what is left. Here the fit is one weighted Gauss-Newton step in the
fourteen parameters of lens and source **from the true macro model**: the image minus the model is projected off the
span of the Jacobian. That is optimistic, and `BANNER` says so wherever results are shown.
"""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks.lensing.macro.model import SmoothModel
from steerable.tasks.lensing.macro.optics import Optics
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["BANNER", "BANNERS", "network_input", "smooth_jacobian", "smooth_residual"]

BANNER = (
    "Residuals are linearised at the true macro model (one Gauss-Newton step; known source family and point-spread "
    "function, no lens light): optimistic against a real fit."
)

BANNERS = {
    "residual": BANNER,
    "fit_residual": (
        "Residuals are what a blind fit of a smooth lens leaves: no truth is used, but the source family, the "
        "point-spread function and the noise level are known and the lens does not shine."
    ),
}
"""What must stand beside results, by the residual that the networks saw."""


def smooth_jacobian(macro: Tensor, settings: LensSettings, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Smooth images [B, n, n] and their derivatives [B, n, n, 14] by `macro` [B, 14], through the PSF.

    Analytic: see `macro.model.SmoothModel`.
    """
    model = SmoothModel(Optics.build(settings.pixels, settings.pixel_scale, settings.psf_fwhm, dtype))
    image, jacobian = model(macro)
    return image, jacobian.permute(0, 2, 3, 1)


def smooth_residual(image: Tensor, sigma: Tensor, macro: Tensor, settings: LensSettings, chunk: int = 4) -> Tensor:
    """(image - smooth model) / sigma, [B, n, n], after one weighted Gauss-Newton step from `macro`.

    Args:
        image: [B, n, n] observed (or noise-free) images.
        sigma: standard deviation of the noise, [B], or [B, n, n] where it differs between pixels.
        macro: [B, 14] parameters where the model is linearised, columns `MACRO`.
        settings: grid and point-spread function.
        chunk: images per pass; bounds the memory and changes nothing else.
    """
    dtype = image.dtype
    smooth = SmoothModel(Optics.build(settings.pixels, settings.pixel_scale, settings.psf_fwhm, dtype))
    sigma = (sigma[:, None, None] if sigma.ndim == 1 else sigma).to(dtype)
    rows = []
    for start in range(0, image.shape[0], chunk):
        part = slice(start, start + chunk)
        model, jacobian = smooth(macro[part])
        columns = (jacobian / sigma[part, None]).flatten(2)
        columns = columns.div_(columns.norm(dim=2, keepdim=True))
        difference = ((image[part] - model) / sigma[part]).flatten(1)
        # Normal equations in float64: the columns are normalised, the ridge only guards against a circular source.
        gram = (columns @ columns.mT).double()
        gram = gram + 1e-9 * torch.eye(gram.shape[-1], dtype=torch.float64, device=gram.device)
        right = (columns @ difference[..., None]).double()
        step = torch.linalg.solve(gram, right).to(dtype)
        rest = difference - (columns.mT @ step)[..., 0]
        rows.append(rest.unflatten(1, image.shape[1:]))
    return torch.cat(rows)


def network_input(residual: Tensor) -> Tensor:
    """asinh(residual / 2) with a channel axis: [B, n, n] -> [B, 1, n, n]. Noise stays of order one, peaks are tamed."""
    return torch.asinh(residual / 2)[:, None]
