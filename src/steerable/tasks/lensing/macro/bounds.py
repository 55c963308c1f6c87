"""Unbounded coordinates for the fit: every parameter stays within broad physical bounds by construction."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

__all__ = ["Bounds"]

_SPIN_2 = {"e1": 0.9, "g1": 0.5, "source_e1": 0.9, "light_e1": 0.9, "light_e12": 0.9}  # first of each pair: largest |e|
_LOG = ("theta_e", "source_radius", "sersic_index", "light_radius", "light_index")


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The map between parameters [N, P] and unbounded coordinates [N, P], and its Jacobian.

    * Lengths and indices: log v = log low + (log high - log low) / (1 + exp(-t)).
    * Positions and the slope: v = low + (high - low) / (1 + exp(-t)).
    * Ellipticities and shear, as pairs: e = r p / sqrt(1 + |p|^2), which keeps the direction of the spin-2 vector, is
      smooth at zero and has |e| < r.
    * Amplitudes: untouched; they are solved for linearly.

    Attributes:
        names: of the parameters.
        low, high: [P] float64; not used for ellipticities and amplitudes.
        log: [P] bool, logarithmic parameters.
        interval: [P] bool, parameters between `low` and `high`.
        pairs: (first column, largest |e|) of every spin-2 pair.
    """

    names: tuple[str, ...]
    low: Tensor
    high: Tensor
    log: Tensor
    interval: Tensor
    pairs: tuple[tuple[int, float], ...]

    @classmethod
    def build(cls, names: tuple[str, ...], field: float, pixel_scale: float) -> Bounds:
        """Bounds for an image of side `field` arcsec: nothing narrower than what such an image could show.

        theta_e from 1 pixel to 0.75 of the side, radii from a tenth of a pixel to twice the side, Sersic indices 0.3
        to 8, the lens within 0.15 sides of the centre along each axis (a cut-out is centred on its lens), other
        positions within the image, slope 1.2 to 2.8, |e| < 0.9, shear below 0.5.
        """
        limits = {
            "theta_e": (pixel_scale, 0.75 * field),
            "source_radius": (0.1 * pixel_scale, 2.0 * field),
            "light_radius": (0.1 * pixel_scale, 2.0 * field),
            "sersic_index": (0.3, 8.0),
            "light_index": (0.3, 8.0),
            "slope": (1.2, 2.8),
        }
        half = 0.5 * field
        for name in ("source_x", "source_y", "light_x", "light_y"):
            limits[name] = (-half, half)
        for name in ("lens_x", "lens_y"):
            limits[name] = (-0.3 * half, 0.3 * half)
        plain = [name[:-1] if name.startswith("light_") and name.endswith("2") and name != "light_e2" else name
                 for name in names]  # fmt: skip
        low = torch.tensor([limits.get(name, (0.0, 1.0))[0] for name in plain], dtype=torch.float64)
        high = torch.tensor([limits.get(name, (0.0, 1.0))[1] for name in plain], dtype=torch.float64)
        return cls(
            names=names,
            low=low,
            high=high,
            log=torch.tensor([name in _LOG for name in plain]),
            interval=torch.tensor([name in limits for name in plain]),
            pairs=tuple((i, _SPIN_2[name]) for i, name in enumerate(names) if name in _SPIN_2),
        )

    def _ends(self) -> tuple[Tensor, Tensor]:
        low, high = torch.where(self.log, self.low.log(), self.low), torch.where(self.log, self.high.log(), self.high)
        return low, high

    def inward(self, parameters: Tensor) -> Tensor:
        """Unbounded coordinates of `parameters`; values on or beyond a bound are moved just inside."""
        low, high = self._ends()
        value = torch.where(self.log, parameters.clamp_min(1e-300).log(), parameters)
        share = ((value - low) / (high - low)).clamp(1e-4, 1.0 - 1e-4)
        out = torch.where(self.interval, torch.logit(share), parameters)
        for column, largest in self.pairs:
            pair = parameters[:, column : column + 2] / largest
            size = pair.norm(dim=1, keepdim=True)
            pair = pair * (size.clamp(max=0.99) / size.clamp_min(1e-300))
            out[:, column : column + 2] = pair / (1.0 - pair.square().sum(1, keepdim=True)).sqrt()
        return out

    def outward(self, free: Tensor) -> Tensor:
        """Parameters [N, P] of unbounded coordinates [N, P]."""
        low, high = self._ends()
        value = low + (high - low) * torch.sigmoid(free)
        out = torch.where(self.interval, torch.where(self.log, value.exp(), value), free)
        for column, largest in self.pairs:
            pair = free[:, column : column + 2]
            out[:, column : column + 2] = largest * pair / (1.0 + pair.square().sum(1, keepdim=True)).sqrt()
        return out

    def jacobian(self, parameters: Tensor) -> Tensor:
        """[N, P, P] derivatives of the parameters by the unbounded coordinates, at `parameters`."""
        low, high = self._ends()
        value = torch.where(self.log, parameters.clamp_min(1e-300).log(), parameters)
        share = (value - low) / (high - low)
        slope = (high - low) * share * (1.0 - share)
        diagonal = torch.where(self.interval, torch.where(self.log, parameters * slope, slope), torch.ones_like(value))
        out = torch.diag_embed(diagonal)
        for column, largest in self.pairs:
            pair = parameters[:, column : column + 2] / largest
            root = (1.0 - pair.square().sum(1)).clamp_min(0.0).sqrt()
            block = torch.eye(2, dtype=out.dtype) - pair[:, :, None] * pair[:, None, :]
            out[:, column : column + 2, column : column + 2] = largest * root[:, None, None] * block
        return out

    def touched(self, parameters: Tensor) -> list[str]:
        """For each row the name of a parameter within a thousandth of its bounds, or an empty string."""
        low, high = self._ends()
        value = torch.where(self.log, parameters.clamp_min(1e-300).log(), parameters)
        share = (value - low) / (high - low)
        at = self.interval & ((share < 1e-3) | (share > 1.0 - 1e-3))
        for column, largest in self.pairs:
            size = parameters[:, column : column + 2].norm(dim=1)
            at[:, column] = size > 0.999 * largest
        return [next((n for n, hit in zip(self.names, row, strict=True) if hit), "") for row in at.tolist()]
