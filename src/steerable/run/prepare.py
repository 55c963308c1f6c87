"""From images as they come to what a network was trained on: one table, by the `input` of the run's record."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.run.domains import domain_of

if TYPE_CHECKING:
    from steerable.tasks.lensing.macro import MacroFit

Columns = dict[str, Tensor | Sequence[Any]]
Function = Callable[[Tensor, Mapping[str, Any]], tuple[Tensor, Columns]]


class Preparation(NamedTuple):
    """How the input of a network is computed from images.

    Attributes:
        function: takes images ``[N, C, H, W]``, as they come from a file, and the options; returns what the recipe of
            the run is then applied to, ``[N, c, h, w]``, and further columns of the catalogue with N entries each:
            tensors ``[N]`` or lists. The options are the `input_settings` of the run, and above them what was said on
            the command line.
        options: those of the command line that it reads, such as ``pixel_scale``.
    """

    function: Function
    options: tuple[str, ...] = ()


def pixels(images: Tensor, options: Mapping[str, Any]) -> tuple[Tensor, Columns]:
    """Return the images, volumes or point sets themselves and no columns."""
    return images, {}


def blind_residual(images: Tensor, options: Mapping[str, Any]) -> tuple[Tensor, Columns]:
    """Return what a blind fit of a smooth lens leaves of each image, in units of its noise, and how the fit went.

    Background and noise are those of the border of each image **without the model**: the wings of arcs reach the
    border, and counted as background they would bias the source and what is left (see `_fitted`). An image whose border
    says nothing about its noise gets a residual of NaN and the reason in words. Parameters are those of
    `steerable.tasks.lensing.macro`, with y from the last row to row 0: images from FITS files were turned over before
    (`rows.Want.sky_up`).

    Args:
        images: ``[N, 1, n, n]``, any unit.
        options: `pixel_scale` and `psf_fwhm` in arcsec, and `lens_light`, the number of Sersic components (0 to 2) of
            light of the lens.

    Raises:
        InputError: several channels, images that are not square, or a point-spread function larger than the image.
    """
    from steerable.tasks.lensing.macro import Optics, SmoothModel

    n, channels, height, width = images.shape
    if channels != 1 or height != width:
        raise InputError(
            f"a blind lens fit takes square images of one channel; images have {channels} channels of {height} x "
            f"{width} pixels. Cut out squares of one band."
        )
    scale, fwhm, light = float(options["pixel_scale"]), float(options["psf_fwhm"]), int(options.get("lens_light", 0))
    try:
        names = SmoothModel(Optics.build(width, scale, fwhm, images.dtype), light).names
    except ValueError as e:
        raise InputError(f"{e}.") from None
    failed = dict.fromkeys([f"{name}{end}" for name in names for end in ("", "_error")], math.nan)
    failed |= dict.fromkeys(("chi2_per_pixel", "signal", "noise"), math.nan)
    residual, rows = torch.full_like(images, math.nan), []
    for i in range(n):
        try:
            fit, sigma = _fitted(images[i], scale, fwhm, light)
        except ValueError as e:
            rows.append({**failed, "converged": False, "iterations": 0, "start": "", "reason": str(e)})
            continue
        residual[i] = fit.residual
        rows.append({name: values[0] for name, values in fit.table().items()} | {"noise": float(sigma)})
    return residual, {name: [row[name] for row in rows] for name in rows[0]}


_ROUNDS, _STEP, _SETTLED = 8, 1.6, 0.02  # the fit takes up part of each step: a longer one settles sooner


def _fitted(image: Tensor, scale: float, fwhm: float, light: int) -> tuple[MacroFit, Tensor]:
    """The blind fit of one image [1, n, n], and its noise; background and noise from the border of image - model.

    The first fit takes those of the image itself. Further ones start from the one before, until the background moves by
    less than 0.02 sigma. A fit that has not converged is no model of the border, and ends it.
    """
    from steerable.tasks.lensing.macro import border_noise, fit_macro

    level, sigma = border_noise(image)
    fit = fit_macro(image - level[:, None, None], sigma, scale, fwhm, lens_light=light)
    for _ in range(_ROUNDS):
        if not bool(fit.converged[0]):
            break
        rest, scatter = border_noise(image - level[:, None, None] - fit.model.to(image))
        moved, stretched = float(rest.abs() / scatter), float(scatter / sigma)
        if moved < _SETTLED and abs(stretched - 1.0) < _SETTLED:
            break
        level, sigma = level + _STEP * rest, scatter
        starts = fit.parameters[:, None]
        again = fit_macro(image - level[:, None, None], sigma, scale, fwhm, lens_light=light, starts=starts)
        fit = dataclasses.replace(again, start=fit.start, start_names=fit.start_names)
    return fit, sigma


def standardised(images: Tensor, options: Mapping[str, Any]) -> tuple[Tensor, Columns]:
    """Return each channel in the units of training.

    Args:
        images: ``[N, C, ...]``.
        options: `mean` and `scale` of each channel over the training part.
    """
    shape = (-1, *[1] * (images.ndim - 2))
    mean, scale = (torch.tensor(options[k], dtype=images.dtype).view(shape) for k in ("mean", "scale"))
    return (images - mean) / scale, {}


PREPARATIONS: dict[str, Preparation] = {
    "standardised": Preparation(standardised),
    "pixels": Preparation(pixels),
    "points": Preparation(pixels),
    "fit_residual": Preparation(blind_residual, ("pixel_scale", "psf_fwhm", "lens_light")),
}


def preparation(record: Mapping[str, Any], given: Mapping[str, float | None]) -> tuple[Function, dict[str, Any]]:
    """Return the function for a run, and its options.

    Args:
        record: of the run.
        given: options of the command line; None where one was not said.

    Raises:
        InputError: an input that cannot be computed from images, or an option that it has no use for.
    """
    kind = record["input"]
    if kind not in PREPARATIONS:
        noun = domain_of(record).noun
        raise InputError(
            f"the network sees '{kind}', which cannot be computed from {noun}; expected one of "
            f"{', '.join(PREPARATIONS)}. Train on an input that can be computed without the truth."
        )
    entry = PREPARATIONS[kind]
    said = {k: v for k, v in given.items() if v is not None}
    for key in said:
        if key not in entry.options:
            known = ", ".join(f"--{k.replace('_', '-')}" for k in entry.options) or "no such option"
            flag = f"--{key.replace('_', '-')} {said[key]:g}"
            raise InputError(f"{flag}: the input '{kind}' has no use for it; expected {known}. Drop it.")
    return entry.function, {**record["input_settings"], **said}
