"""The residual after the best smooth lens, linearised: what a network sees.

A real analysis fits a smooth lens and looks at what is left. Here the fit is one weighted Gauss-Newton step in the
fourteen parameters of lens and source **from the true macro model**: the image minus the model is projected off the
span of the Jacobian. That is optimistic, and `BANNER` says so wherever results are shown.
"""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks.lensing.render import blur, pixel_grid, psf_matrix, smooth_image
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["BANNER", "network_input", "smooth_jacobian", "smooth_residual"]

BANNER = (
    "Residuals are linearised at the true macro model (one Gauss-Newton step; known source family and point-spread "
    "function, no lens light): optimistic against a real fit."
)


def smooth_jacobian(macro: Tensor, settings: LensSettings, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Smooth images [B, n, n] and their derivatives [B, n, n, 14] by `macro` [B, 14], through the PSF.

    Forward mode over one shift that all images share: fourteen tangents for the whole batch in one pass.
    """
    x, y = pixel_grid(settings, dtype)
    psf = psf_matrix(settings, dtype)
    macro = macro.to(dtype)

    def images(shift: Tensor) -> tuple[Tensor, Tensor]:
        image = blur(smooth_image(macro + shift, x, y), psf)
        return image, image

    jacobian, image = torch.func.jacfwd(images, has_aux=True)(macro.new_zeros(macro.shape[-1]))
    return image, jacobian


def smooth_residual(image: Tensor, sigma: Tensor, macro: Tensor, settings: LensSettings, chunk: int = 4) -> Tensor:
    """(image - smooth model) / sigma, [B, n, n], after one Gauss-Newton step from `macro`.

    Args:
        image: [B, n, n] observed (or noise-free) images.
        sigma: [B] standard deviation of the noise, constant over an image, so that the weights of the step cancel.
        macro: [B, 14] parameters where the model is linearised, columns `MACRO`.
        settings: grid and point-spread function.
        chunk: images per pass; bounds the memory and changes nothing else.
    """
    dtype = image.dtype
    rows = []
    for start in range(0, image.shape[0], chunk):
        part = slice(start, start + chunk)
        model, jacobian = smooth_jacobian(macro[part], settings, dtype)
        columns = jacobian.flatten(1, 2)
        columns = columns / columns.norm(dim=1, keepdim=True)
        difference = (image[part] - model).flatten(1)
        # Normal equations in float64: the columns are normalised, the ridge only guards against a circular source.
        gram = (columns.mT @ columns).double()
        gram = gram + 1e-9 * torch.eye(gram.shape[-1], dtype=torch.float64, device=gram.device)
        right = (columns.mT @ difference[..., None]).double()
        step = torch.linalg.solve(gram, right).to(dtype)
        rest = difference - (columns @ step)[..., 0]
        rows.append((rest / sigma[part, None]).unflatten(1, image.shape[1:]))
    return torch.cat(rows)


def network_input(residual: Tensor) -> Tensor:
    """asinh(residual / 2) with a channel axis: [B, n, n] -> [B, 1, n, n]. Noise stays of order one, peaks are tamed."""
    return torch.asinh(residual / 2)[:, None]
