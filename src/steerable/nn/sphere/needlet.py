"""Needlets: a tight frame of the sphere and of SO(3), by filters of the degree."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from steerable.nn.constants import ConstantModule
from steerable.nn.sphere.spectral_conv import total


def needlet_filters(x: np.ndarray) -> np.ndarray:
    """The filter bank ``(a, b1, b2)`` at scaled degrees ``x = l / 2^j``, ``[3, n]``: squares sum to 1 for ``x <= 1/2``.

    Source: Yi et al., arXiv 2206.10385, after Wang and Zhuang, "Tight framelets on manifolds", 2018, with
    ``nu(t) = t^4 (35 - 84 t + 70 t^2 - 20 t^3)``.
    """

    def nu(t: np.ndarray) -> np.ndarray:
        t = np.clip(t, 0, 1)
        return np.pi / 2 * t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)

    low, high = nu(8 * x - 1), nu(4 * x - 1)
    inside = x <= 0.5
    return np.stack([np.cos(low) * (x < 0.25), np.sin(low) * np.cos(high) * inside, np.sin(high) * inside])


class NeedletTransform(ConstantModule):
    """Coefficients to a low-pass part and two details a level, each of a band of its own, and back.

    Filters depend on the degree only, so both directions commute with rotations exactly (from the left and from the
    right), the energy of the parts is that of the signal, and reconstruction is exact.

    Args:
        band: of the signals.
        levels: number of levels of details.
        on: ``"sphere"`` (coefficients ``[B, C * band^2]``) or ``"group"`` (functions on SO(3)).

    Attributes:
        bands: of the parts: the low-pass one first, then the details from fine to coarse, two of each.

    Raises:
        ValueError: for more levels than degrees, or another domain.

    Source: Yi, Chen, Wang, Zhou, Lio, Fan and Hamann, "Approximate Equivariance SO(3) Needlet Convolution", TAG-ML,
    2022, arXiv 2206.10385.
    """

    def __init__(self, band: int, levels: int = 2, on: str = "group") -> None:
        super().__init__()
        if on not in ("sphere", "group"):
            raise ValueError(f"NeedletTransform: on is {on!r}; expected 'sphere' or 'group'")
        top = math.ceil(math.log2(max(2 * band, 2)))
        if band < 1 or not 1 <= levels <= max(top - 2, 1):
            raise ValueError(
                f"NeedletTransform: band {band} with {levels} levels; expected 1 to {max(top - 2, 1)} levels for it"
            )
        self.band, self.levels, self.on = band, levels, on
        degrees = np.arange(band)
        sizes = np.array([(2 * l + 1) ** (2 if on == "group" else 1) for l in degrees])
        self.bands: list[int] = []
        low, details = np.ones(band), []
        for level in range(levels):
            a, *b = needlet_filters(degrees / 2.0 ** (top - level))
            details += [low * one for one in b]
            low = low * a
        for k, values in enumerate([low, *details]):
            used = np.flatnonzero(np.abs(values) > 1e-12)
            reach = int(used[-1]) + 1 if len(used) else 1
            self.bands.append(reach)
            self.register_constant(f"filter{k}", np.repeat(values[:reach], sizes[:reach]))

    def size(self, band: int) -> int:
        """Coefficients of one channel below a band."""
        return total(band) if self.on == "group" else band * band

    def forward(self, x: Tensor) -> list[Tensor]:
        """``[B, C * D]`` to the parts ``[B, C * D_k]``.

        Raises:
            ValueError: for another number of coefficients.
        """
        size = self.size(self.band)
        if not torch.compiler.is_compiling() and (x.dim() != 2 or x.shape[1] % size):
            raise ValueError(f"NeedletTransform: got {tuple(x.shape)}; expected [B, C * {size}] of band {self.band}")
        x = x.unflatten(1, (-1, size))
        filters = [getattr(self, f"filter{k}") for k in range(len(self.bands))]
        return [(x[:, :, : len(f)] * f).flatten(1) for f in filters]

    def inverse(self, parts: list[Tensor]) -> Tensor:
        """The parts back to ``[B, C * D]``.

        Raises:
            ValueError: for another number of parts.
        """
        if len(parts) != len(self.bands):
            raise ValueError(f"NeedletTransform: {len(parts)} parts; expected {len(self.bands)}, of bands {self.bands}")
        size, found = self.size(self.band), []
        for k, part in enumerate(parts):
            f = getattr(self, f"filter{k}")
            found.append(torch.nn.functional.pad(part.unflatten(1, (-1, len(f))) * f, (0, size - len(f))))
        return torch.stack(found).sum(0).flatten(1)

    def extra_repr(self) -> str:
        """Band and levels."""
        return f"band={self.band}, levels={self.levels}, on={self.on!r}, parts of bands {self.bands}"


def shrink(x: Tensor, threshold: Tensor, hard: bool = False) -> Tensor:
    """Soft threshold ``sign(x) max(|x| - t, 0)``, or hard: what is below it is zero.

    Args:
        x: any shape.
        threshold: broadcastable, not negative.
        hard: whether what is above stays as it is.
    """
    if hard:
        return torch.where(x.abs() > threshold, x, 0.0)
    return x.sign() * (x.abs() - threshold).clamp_min(0)
