"""Macro models of strong lenses without the truth: blind fits of smooth lenses to images, and of quads to positions.

`fit_macro` fits SIE (or power law) + shear + Sersic source, with lens light where asked for, to a batch of images;
`fit_point_images` fits SIE + shear to the images of a quasar. `border_noise`, `annulus`, `outside_discs` and
`without_lens_colour` prepare real images, `measure_peaks` measures positions, `fit_picture` and `quad_picture` draw.
`SmoothModel` is the model itself with its analytic Jacobian. Lengths are arcsec; row 0 of an image has the highest y.
"""

from __future__ import annotations

from steerable.tasks.lensing.macro.fit import fit_macro
from steerable.tasks.lensing.macro.lens_equation import find_images
from steerable.tasks.lensing.macro.model import SmoothModel
from steerable.tasks.lensing.macro.observed import annulus, border_noise, outside_discs, without_lens_colour
from steerable.tasks.lensing.macro.optics import Optics
from steerable.tasks.lensing.macro.peaks import Peaks, measure_peaks
from steerable.tasks.lensing.macro.pictures import fit_picture, quad_picture
from steerable.tasks.lensing.macro.point_images import PointFit, fit_point_images
from steerable.tasks.lensing.macro.result import MacroFit

__all__ = [
    "MacroFit",
    "Optics",
    "Peaks",
    "PointFit",
    "SmoothModel",
    "annulus",
    "border_noise",
    "find_images",
    "fit_macro",
    "fit_picture",
    "fit_point_images",
    "measure_peaks",
    "outside_discs",
    "quad_picture",
    "without_lens_colour",
]
