"""Correlation on spherical shells: from the sphere to rotations, and from rotations to rotations."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.groups import SO3
from steerable.nn.module import EquivariantModule
from steerable.nn.sphere.spectral_conv import rotation_signals, sphere_signals, total


class SphericalVoxelConv(EquivariantModule):
    r"""``out(R, h) = sum_d sum_k theta_(d k) f(R q_k, h + d)`` with q_k on the equator: exactly equivariant.

    Functions on shells are given by coefficients ``[B, C D, shells]``. The kernel is a sum of deltas on a ring of
    rotations ``Rz(a_k) Ry(pi / 2)``, whose coefficients are ``W_l = sum_k theta_k D^l(q_k)``: one matrix product a
    degree, one convolution along the shells. With ``on="sphere"`` the input is a function on the sphere, which is one
    on rotations that does not depend on the last turn. It is a :class:`HomLinear` with fewer parameters.

    Args:
        c_in: functions of the input.
        c_out: functions on rotations of the output.
        band: degrees ``l < band``.
        on: where the input lives, ``sphere`` or ``rotations``.
        taps: rotations on the ring; by default 2 band, or fewer for fewer parameters.
        radial: odd number of shells that the kernel sees.

    Raises:
        ValueError: for sizes that cannot be.

    Source: You et al., arXiv 1811.09361, section 3.2; coefficients as in Cohen, Geiger, Koehler and Welling, ICLR 2018,
    arXiv 1801.10130.
    """

    def __init__(
        self, c_in: int, c_out: int, band: int, on: str = "rotations", taps: int | None = None, radial: int = 3
    ) -> None:
        taps = 2 * band if taps is None else taps
        if min(c_in, c_out, band, taps, radial) < 1 or radial % 2 == 0:
            raise ValueError(
                f"SphericalVoxelConv: {c_in} to {c_out} functions, band {band}, {taps} taps, {radial} shells; expected "
                "at least 1 of each, and an odd number of shells."
            )
        if on not in ("rotations", "sphere"):
            raise ValueError(f"SphericalVoxelConv: the space is {on!r}; expected 'rotations' or 'sphere'.")
        into = rotation_signals if on == "rotations" else sphere_signals
        super().__init__(into(c_in, band), rotation_signals(c_out, band))
        self.band, self.on, self.radial, self.channels = band, on, radial, (c_in, c_out)
        self.weight = nn.Parameter(torch.randn(c_out, c_in, radial, taps) / math.sqrt(c_in * radial * taps))
        self.bias = nn.Parameter(torch.zeros(c_out))
        for l in range(band):
            steps = SO3().irrep(str(l))(ring(taps))  # [taps, 2 l + 1, 2 l + 1]
            self.register_constant(f"_steps{l}", steps if on == "rotations" else steps[:, :, l : l + 1])

    def forward(self, x: Tensor) -> Tensor:
        """Map coefficients ``[B, in_type.size, shells]`` to ``[B, out_type.size, shells]``.

        Raises:
            ValueError: for another shape.
        """
        self.check_input(x, 1)
        (c_in, c_out), batch, count = self.channels, x.shape[0], x.shape[2]
        sizes = [(2 * l + 1) ** 2 if self.on == "rotations" else 2 * l + 1 for l in range(self.band)]
        found = []
        for l, part in enumerate(x.unflatten(1, (c_in, -1)).split(sizes, 2)):
            d = 2 * l + 1
            filter = torch.einsum("oirk,kpq->opiqr", self.weight, getattr(self, f"_steps{l}"))
            columns = part.unflatten(2, (-1, d)).permute(0, 3, 1, 2, 4).reshape(batch * d, -1, count)
            y = F.conv1d(columns, filter.reshape(c_out * d, -1, self.radial), padding=self.radial // 2)
            found.append(y.view(batch, d, c_out, d, count).permute(0, 2, 3, 1, 4).flatten(2, 3))
        found[0] = found[0] + self.bias[:, None, None]
        return torch.cat(found, 2).flatten(1, 2)

    def extra_repr(self) -> str:
        """Functions, band and kernel."""
        return f"{self.channels[0]} on {self.on} -> {self.channels[1]}, band={self.band}, radial={self.radial}"


def ring(count: int) -> Tensor:
    """Rotations ``Rz(a) Ry(pi / 2)`` at equal steps of a, ``[count, 4]``."""
    turn = math.pi * torch.arange(count, dtype=torch.float64) / count
    half = math.sqrt(0.5)
    return torch.stack([half * turn.cos(), -half * turn.sin(), half * turn.cos(), half * turn.sin()], -1)


def mean_of_last_turn(x: Tensor, band: int) -> Tensor:
    """From functions on rotations to their means over the last turn, functions on the sphere.

    Args:
        x: coefficients ``[B, C D, shells]`` of rotations.
        band: degrees ``l < band``.

    Returns:
        ``[B, C band^2, shells]``.
    """
    rows = [torch.arange(total(l) + l * (2 * l + 1), total(l) + (l + 1) * (2 * l + 1)) for l in range(band)]
    return x.unflatten(1, (-1, total(band))).index_select(2, torch.cat(rows).to(x.device)).flatten(1, 2)
