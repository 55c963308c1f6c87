"""The blind macro fit: the best smooth lens for an image, without the truth."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from steerable.tasks.lensing.macro.result import MacroFit
from steerable.tasks.lensing.macro.stages import FitOptions, Stages

__all__ = ["fit_macro"]


def fit_macro(
    image: Tensor,
    sigma: float | Tensor,
    pixel_scale: float,
    psf: float | Tensor,
    *,
    mask: Tensor | None = None,
    lens_light: int = 0,
    slope: bool = False,
    prior: dict[str, tuple[float, float]] | None = None,
    starts: Tensor | None = None,
    looks: int = 3,
    iterations: int = 60,
    dtype: torch.dtype = torch.float32,
    batch: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> MacroFit:
    """Fit SIE + shear + elliptical Sersic source to images, each from a blind start.

    Nothing is used but the image, its noise and the point-spread function: the starts read radius, shift, quadrupole
    and width of the bright ring (`start.STARTS`); they compete on binned images for a few steps, the best go on, and
    the winner is refined at full resolution by Levenberg-Marquardt with the analytic Jacobian, its amplitude solved
    linearly. Parameters stay within `bounds.Bounds`, which follow from the pixels and the field alone. The same input
    gives the same result.

    A fit has *converged* when an undamped step promises to lower chi2 (the sum over pixels) by less than 0.05, and when
    the lens lowers chi2 by more than 60 against an empty image. A fit that fails is returned with `converged` False and
    its reason in words; a converged fit may still be a poor one: look at `chi2_per_pixel` and `reason`.

    Args:
        image: [B, n, n], row 0 has the highest y; a lens near the centre of the cut-out.
        sigma: noise, standard deviation: a number, [B], or a map [B, n, n] (infinite where a pixel says nothing). A map
            of photon noise belongs to a model or a smoothed image: one of the noisy pixels themselves biases the fit.
        pixel_scale: arcsec per pixel.
        psf: full width at half maximum in arcsec of a Gaussian point-spread function, or its image [h, w], odd sides.
        mask: [B, n, n] or [n, n] bool, True where a pixel counts; masked pixels may hold anything, NaN included.
        lens_light: Sersic components of light of the lens galaxy to fit as well, 0 to 2.
        slope: fit the logarithmic slope of the mass as well (2 is isothermal).
        prior: Gaussian priors by parameter, name: (mean, standard deviation). None by default; a single arc, or a
            centre hidden by a mask, leaves combinations of centre, ellipticity and shear open, which priors close.
        starts: [B, S, P] parameters to start from instead of the blind ones.
        looks: rounds of starts at most. The second and third are for images that the rounds before leave with more
            than noise; 1 is faster where that is the rule (sub-structure) and one missed minimum in a hundred does not
            matter.
        iterations: at most so many evaluations at full resolution per image.
        dtype: of the images of the model; the equations are solved in float64.
        batch: images that are fitted side by side; bounds the memory.
        progress: called with (images done, images in all) after each batch.

    Raises:
        ValueError: in one line, for shapes that do not fit, values that are not finite where the mask counts them, a
            noise that is not above 0, fewer counted pixels than parameters or a point-spread function larger than the
            image.
    """
    if looks < 1 or iterations < 1 or batch < 1:
        raise ValueError(f"fit_macro: got looks={looks}, iterations={iterations}, batch={batch}; expected at least 1")
    raw = image
    image, sigma, mask = _checked(image, sigma, mask, starts)
    options = FitOptions(pixel_scale, psf, dtype, lens_light, slope, prior or {}, looks, iterations)
    parts = []
    for first in range(0, image.shape[0], batch):
        rows = slice(first, first + batch)
        given = None if starts is None else starts[rows].double().cpu()
        parts.append(Stages(options, raw[rows], image[rows], sigma[rows], mask[rows], given).run())
        if progress is not None:
            progress(min(first + batch, image.shape[0]), image.shape[0])
    return MacroFit.join(parts)


def _checked(
    image: Tensor, sigma: float | Tensor, mask: Tensor | None, starts: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """(image, sigma [B, 1, 1] or [B, n, n], mask [B, n, n]), with what the mask hides replaced by zeros."""
    if image.ndim != 3 or image.shape[1] != image.shape[2] or image.shape[0] == 0:
        raise ValueError(f"fit_macro: got images of shape {tuple(image.shape)}; expected [B, n, n], square, B > 0")
    b, n = image.shape[0], image.shape[-1]
    if n < 8:
        raise ValueError(f"fit_macro: got images of {n} x {n} pixels; expected at least 8 x 8: use a larger cut-out")
    if not image.is_floating_point():
        raise ValueError(f"fit_macro: got images of {image.dtype}; expected a floating dtype: use image.float()")
    noise = torch.as_tensor(sigma, dtype=torch.float64, device=image.device)
    if noise.shape not in ((), (b,), (b, n, n)):
        raise ValueError(
            f"fit_macro: got sigma of shape {tuple(noise.shape)}; expected a number, [{b}] or [{b}, {n}, {n}]"
        )
    noise = noise.expand(b)[:, None, None] if noise.ndim < 2 else noise
    if bool((noise == noise[:, :1, :1]).all()):
        noise = noise[:, :1, :1]  # a constant map needs no weights
    if mask is None:
        counted = torch.ones(b, n, n, dtype=torch.bool, device=image.device)
    elif mask.dtype != torch.bool or mask.shape not in ((n, n), (b, n, n)):
        raise ValueError(
            f"fit_macro: got a mask {tuple(mask.shape)} of {mask.dtype}; expected bool, [{n}, {n}] or [{b}, {n}, {n}]"
        )
    else:
        counted = mask.to(image.device).expand(b, n, n)
    if noise.shape[-1] > 1:
        counted = counted & ~torch.isinf(noise)
        noise = torch.where(counted, noise, torch.ones_like(noise))
    if not (torch.isfinite(noise).all() and (noise > 0).all()):
        raise ValueError(f"fit_macro: sigma runs from {float(noise.min())} to {float(noise.max())}; expected above 0")
    bad = ~torch.isfinite(image) & counted
    if bad.any():
        first = int(bad.flatten(1).any(1).nonzero()[0])
        raise ValueError(
            f"fit_macro: image {first} has {int(bad[first].sum())} pixels that are NaN or infinite; expected finite "
            "ones: mask them"
        )
    fewest = int(counted.flatten(1).sum(1).min())
    if fewest < 40:
        raise ValueError(f"fit_macro: an image has {fewest} pixels that count; expected at least 40: check the mask")
    if starts is not None and (starts.ndim != 3 or starts.shape[0] != b):
        raise ValueError(f"fit_macro: got starts of shape {tuple(starts.shape)}; expected [{b}, S, P]")
    return torch.where(counted, image, torch.zeros_like(image)), noise, counted
