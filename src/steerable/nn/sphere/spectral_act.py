"""Pointwise functions of signals that are given by coefficients: to samples, apply, and back."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from steerable.domains.sphere import Sphere
from steerable.groups import SO2
from steerable.nn.functional.pointwise_functions import pointwise_function
from steerable.nn.module import EquivariantModule
from steerable.nn.sphere.needlet import shrink
from steerable.nn.sphere.sht import SHT
from steerable.nn.sphere.so3_transform import SO3Analysis
from steerable.nn.sphere.spectral_conv import rotation_signals, sphere_signals, total

#: entries of the matrix of a transform up to which it is faster than sums along rings: those of band 12
_ONE_MATRIX = 2 * 12**4


class SpectralAct(EquivariantModule):
    """A function of one variable on functions on SO(3), or on scalars on the sphere, by coefficients.

    The samples of a grid of ``oversample`` times the band are changed, and analysed again. Aliasing is what is left of
    equivariance: for band-limited functions of unit variance the relative error on the sphere is 15 to 25 % at
    ``oversample=1`` for any function, 2e-2 for ReLU and 6e-3 for GELU at 2, 2e-5 for GELU at 4; exact for polynomials
    of degree p from ``(p + 1) / 2`` on.

    Args:
        channels: number of functions.
        band: of the input.
        function: a name such as ``gelu``, ``silu``, ``relu``, ``softplus``; ``"shrink"``: a soft threshold that is
            learned for each channel; or any callable on tensors.
        oversample: at least 1.
        band_out: of the output; default that of the input. Lowering it here is the anti-aliasing of spherical CNNs.
        on: ``"group"`` or ``"sphere"``.
        bias: add a learned number to each function first.
        one_matrix: on the sphere, whether each transform is one product with all samples at once, not sums along rings;
            the numbers are the same. Default: on small grids, up to band 12, where it costs a quarter to a half.

    Raises:
        ValueError: for an unknown function or domain, ``oversample`` below 1, a band of the output above the grid's, or
            one matrix on the group.

    Source: Cohen et al., arXiv 1801.10130; thresholds: Yi et al., arXiv 2206.10385.
    """

    def __init__(
        self,
        channels: int,
        band: int,
        function: str | Callable[[Tensor], Tensor] = "gelu",
        oversample: float = 2.0,
        band_out: int | None = None,
        on: str = "group",
        bias: bool = True,
        one_matrix: bool | None = None,
    ) -> None:
        if on not in ("group", "sphere"):
            raise ValueError(f"SpectralAct: on is {on!r}; expected 'group' or 'sphere'")
        fine, last = math.ceil(oversample * band - 1e-9), band if band_out is None else band_out
        if oversample < 1 or not 1 <= last <= fine:
            raise ValueError(
                f"SpectralAct: band {band}, oversample {oversample}, band_out {last}; expected oversample from 1 on, "
                f"better 2, and a band of the output from 1 to {fine}"
            )
        if on == "group" and one_matrix:
            raise ValueError(f"SpectralAct: one_matrix is {one_matrix} on the group; expected it on the sphere only")
        signals = rotation_signals if on == "group" else sphere_signals
        super().__init__(signals(channels, band), signals(channels, last))
        self.channels, self.band, self.band_out, self.oversample, self.on = channels, band, last, oversample, on
        self.function = function
        if isinstance(function, str) and function != "shrink":
            pointwise_function(function)
        self.analysis: nn.Module
        if on == "group":
            self.analysis = analysis = SO3Analysis(fine, channels)
        else:
            grid = Sphere.gauss(fine)
            if fine**2 * grid.num_points <= _ONE_MATRIX if one_matrix is None else one_matrix:
                grid = Sphere.scattered(grid.points().reshape(-1, 3), grid.flat_weights())
            self.analysis = analysis = SHT(grid, channels * SO2().trivial, fine)
        self.synthesis = analysis.inverse()
        self._sizes = [total(b) if on == "group" else b * b for b in (band, fine, last)]
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None
        self.threshold = nn.Parameter(torch.full((channels,), -2.0)) if function == "shrink" else None

    def forward(self, x: Tensor) -> Tensor:
        """``[B, channels * D]`` to ``[B, channels * D']``. Raises ``ValueError`` for another number of coefficients."""
        self.check_input(x)
        small, fine, last = self._sizes
        x = nn.functional.pad(x.unflatten(1, (self.channels, small)), (0, fine - small)).flatten(1)
        values = self.synthesis(x)
        shape = (-1, *(1,) * (values.dim() - 2))
        if self.bias is not None:
            values = values + self.bias.view(shape)
        y = self.analysis(self._apply_function(values, shape))
        return y.unflatten(1, (self.channels, fine))[:, :, :last].flatten(1)

    def _apply_function(self, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        if self.threshold is not None:
            return shrink(values, nn.functional.softplus(self.threshold).view(shape))
        if isinstance(self.function, str):
            return pointwise_function(self.function).value(values)
        return self.function(values)

    def extra_repr(self) -> str:
        """Function and sizes."""
        bands = f"band={self.band} -> {self.band_out}"
        return f"{self.function!r} on {self.on}, channels={self.channels}, {bands}, oversample={self.oversample}"
