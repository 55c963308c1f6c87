"""The smooth lens as a function of its parameters, with the whole analytic Jacobian in one pass."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks.lensing.macro.isothermal import sie_derivatives
from steerable.tasks.lensing.macro.optics import Optics
from steerable.tasks.lensing.macro.powerlaw import power_law_derivatives
from steerable.tasks.lensing.macro.source import sersic_derivatives
from steerable.tasks.lensing.scene import MACRO

__all__ = ["LIGHT", "SmoothModel"]

LIGHT = ("light_x", "light_y", "light_radius", "light_index", "light_e1", "light_e2", "light_amplitude")
"""Parameters of one Sersic component of lens light; the second component has names that end in 2."""

_AMPLITUDE = MACRO.index("amplitude")


class SmoothModel:
    """SIE or power law + shear + elliptical Sersic source (+ lens light), through a point-spread function.

    The image is linear in its amplitudes, so `maps` returns one map per parameter from which the image follows: the
    map of an amplitude is the unit image of its component, the map of any other parameter is the derivative of the
    image. The chain rule runs through the source plane, I(theta) = S(beta(theta)): two slopes of S and closed forms
    for the deflection give every column; the centre of the lens needs its Hessian 2 kappa t t^T, t tangential.

    Args:
        optics: pixels and point-spread function.
        lens_light: number of Sersic components of light in the lens plane, 0 to 2.
        slope: whether the slope of the density is a parameter (2 is isothermal).

    Attributes:
        names: of the parameters, in order: `MACRO`, then "slope", then `LIGHT` per component.
        amplitudes: indices of the linear parameters, one per component of light.
        components: for each of them the columns whose maps are proportional to it.
    """

    def __init__(self, optics: Optics, lens_light: int = 0, slope: bool = False) -> None:
        if lens_light not in (0, 1, 2):
            raise ValueError(f"SmoothModel: got lens_light={lens_light}; expected 0, 1 or 2 Sersic components")
        self.optics = optics
        self.lens_light = lens_light
        self.slope = slope
        self.names: tuple[str, ...] = MACRO + (("slope",) if slope else ())
        starts = []
        for component in range(lens_light):
            starts.append(len(self.names))
            self.names += tuple(name + ("2" if component else "") for name in LIGHT)
        self._light_starts = tuple(starts)
        self.amplitudes = (_AMPLITUDE, *(start + len(LIGHT) - 1 for start in starts))
        lensed = [i for i in range(len(MACRO) + slope) if i != _AMPLITUDE]
        self.components = (lensed, *(list(range(start, start + len(LIGHT) - 1)) for start in starts))

    def maps(self, parameters: Tensor) -> Tensor:
        """[B, P, n, n] from `parameters` [B, P], in the dtype of the optics: see the class.

        For the derivative by the parameters themselves use `jacobian`; here the maps of source and light parameters
        already hold the amplitudes, those of the amplitudes are unit images.
        """
        x = self.optics.x
        parameters = parameters.to(x)
        out = x.new_empty(parameters.shape[0], len(self.names), *x.shape)
        self._lensed(parameters, out)
        for start in self._light_starts:
            self._light(parameters, out, start)
        return self.optics.blur(out)

    def image(self, parameters: Tensor, maps: Tensor) -> Tensor:
        """[B, n, n]: the image that belongs to `maps`."""
        columns = list(self.amplitudes)
        if len(columns) == 1:
            return maps[:, columns[0]] * parameters[:, columns[0], None, None].to(maps)
        return (maps[:, columns] * parameters[:, columns, None, None].to(maps)).sum(1)

    def __call__(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """(image [B, n, n], Jacobian [B, P, n, n]) of `parameters` [B, P]."""
        maps = self.maps(parameters)
        return self.image(parameters, maps), maps

    def _lensed(self, parameters: Tensor, out: Tensor) -> None:
        columns = [column[:, None, None] for column in parameters[:, : len(MACRO)].unbind(-1)]
        theta_e, e1, e2, g1, g2, lens_x, lens_y, source_x, source_y, radius, index, s1, s2, amplitude = columns
        x, y = self.optics.x, self.optics.y
        dx, dy = x - lens_x, y - lens_y
        if self.slope:
            parts = power_law_derivatives(dx, dy, theta_e, e1, e2, parameters[:, len(MACRO), None, None])
            ax, ay = parts["alpha"]
        else:
            vx, vy, curve, e1x, e1y, e2x, e2y = sie_derivatives(dx, dy, e1, e2)
            ax, ay = theta_e * vx, theta_e * vy
        beta_x = (x - source_x).sub_(ax).sub_(g1 * dx).sub_(g2 * dy)
        beta_y = (y - source_y).sub_(ay).sub_(g2 * dx).add_(g1 * dy)
        value, by_x, by_y, by_radius, by_index, by_s1, by_s2 = sersic_derivatives(beta_x, beta_y, radius, index, s1, s2)
        gx, gy = by_x.mul_(-amplitude), by_y.mul_(-amplitude)  # minus: beta falls as the deflection grows

        def lens(column: int, first: Tensor, second: Tensor, scale: Tensor | None = None) -> None:
            torch.mul(gx, first, out=out[:, column]).addcmul_(gy, second)
            if scale is not None:
                out[:, column].mul_(scale)

        lens(3, dx, -dy)
        lens(4, dy, dx)
        if self.slope:
            for column, name in ((0, "theta_e"), (1, "e1"), (2, "e2"), (len(MACRO), "slope")):
                lens(column, *parts[name])
            centre_x = gx * parts["dx"][0] + gy * parts["dx"][1]
            centre_y = gx * parts["dy"][0] + gy * parts["dy"][1]
        else:
            lens(0, vx, vy)
            lens(1, e1x, e1y, theta_e)
            lens(2, e2x, e2y, theta_e)
            # Hessian 2 kappa t t^T with t = (-dy, dx) / r; `curve` is 2 kappa of theta_e = 1.
            r2 = (dx * dx).addcmul_(dy, dy).clamp_min_(1e-30)
            along = (gy * dx).addcmul_(gx, dy, value=-1.0).mul_(curve).mul_(theta_e).div_(r2)
            centre_x, centre_y = (along * dy).neg_(), along.mul_(dx)
        # A moving lens takes deflection and shear along: beta changes by the Hessian and by the shear matrix.
        out[:, 5] = centre_x.add_(g1 * gx).add_(g2 * gy).neg_()
        out[:, 6] = centre_y.add_(g2 * gx).sub_(g1 * gy).neg_()
        out[:, 7], out[:, 8] = gx, gy
        for column, by in ((9, by_radius), (10, by_index), (11, by_s1), (12, by_s2)):
            torch.mul(by, amplitude, out=out[:, column])
        out[:, _AMPLITUDE] = value

    def _light(self, parameters: Tensor, out: Tensor, start: int) -> None:
        columns = [column[:, None, None] for column in parameters[:, start : start + len(LIGHT)].unbind(-1)]
        cx, cy, radius, index, e1, e2, amplitude = columns
        value, by_x, by_y, *rest = sersic_derivatives(self.optics.x - cx, self.optics.y - cy, radius, index, e1, e2)
        for offset, by in enumerate((by_x.neg_(), by_y.neg_(), *rest)):
            torch.mul(by, amplitude, out=out[:, start + offset])
        out[:, start + len(LIGHT) - 1] = value
