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
from steerable.nn.sphere.sht import SHT, InverseSHT
from steerable.nn.sphere.so3_transform import SO3Analysis, SO3Synthesis
from steerable.nn.sphere.spectral_conv import rotation_signals, sphere_signals

#: entries of the matrix of a transform up to which it is faster than sums along rings: band 12 on twice as fine a grid
_ONE_MATRIX = 8 * 12**4


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
            the numbers are the same. Default: for small bands, up to 12 at ``oversample=2``, where it costs a third to
            a half.

    Raises:
        ValueError: for an unknown function or domain, ``oversample`` below 1, a band of the output above the grid's, or
            one matrix on the group.

    Source: Cohen et al., arXiv 1801.10130; thresholds: Yi et al., arXiv 2206.10385.
    """

    #: rotations are met up to aliasing
    samples_continuously = True

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
        self.synthesis: nn.Module
        same = band == last  # tables are shared
        if on == "group":
            self.analysis = analysis = SO3Analysis(last, channels, grid=fine)
            self.synthesis = analysis.inverse() if same else SO3Synthesis(band, channels, grid=fine)
        else:
            grid = Sphere.gauss(fine)
            small = max(band, last) ** 2 * grid.num_points <= _ONE_MATRIX
            if small if one_matrix is None else one_matrix:
                grid = Sphere.scattered(grid.points().reshape(-1, 3), grid.flat_weights())
            scalars = channels * SO2().trivial
            self.analysis = analysis = SHT(grid, scalars, last)
            self.synthesis = analysis.inverse() if same else InverseSHT(grid, scalars, band)
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None
        self.threshold = nn.Parameter(torch.full((channels,), -2.0)) if function == "shrink" else None

    def forward(self, x: Tensor) -> Tensor:
        """``[B, channels * D]`` to ``[B, channels * D']``. Raises ``ValueError`` for another number of coefficients."""
        self.check_input(x)
        if self.bias is not None:  # a constant is the coefficient of degree 0
            x = x + nn.functional.pad(self.bias[:, None], (0, x.shape[1] // self.channels - 1)).flatten()
        values = self.synthesis(x)
        shape = (-1, *(1,) * (values.dim() - 2))
        return self.analysis(self._apply_function(values, shape))

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
