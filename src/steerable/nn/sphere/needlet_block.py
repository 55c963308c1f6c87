"""A layer of needlet networks: each band of a function on SO(3) is correlated, shrunk and put back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.nn.module import EquivariantModule
from steerable.nn.sphere.needlet import NeedletTransform
from steerable.nn.sphere.spectral_act import SpectralAct
from steerable.nn.sphere.spectral_conv import NEAR_IDENTITY, RingSupport, SO3Conv, rotation_signals


class NeedletBlock(EquivariantModule):
    """Decompose, correlate each part on its own, shrink the details by learned thresholds, reconstruct.

    Every part lives on a grid of its own band, so coarse parts are cheap. The linear half is exactly equivariant;
    thresholds are taken at samples, hence the "approximate" in the title of the source: 6e-3 at ``oversample=2``.

    Args:
        in_channels, out_channels: functions on SO(3), ``[B, channels * D]``.
        band: of both.
        levels: of details, see :class:`NeedletTransform`.
        support: of the kernels; ``None``: a free number for each coefficient.
        oversample: of the grids.

    Source: Yi, Chen, Wang, Zhou, Lio, Fan and Hamann, arXiv 2206.10385.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        band: int,
        levels: int = 1,
        support: RingSupport | None = NEAR_IDENTITY,
        oversample: float = 2.0,
    ) -> None:
        super().__init__(rotation_signals(in_channels, band), rotation_signals(out_channels, band))
        self.frame = NeedletTransform(band, levels)
        parts = enumerate(self.frame.bands)
        self.parts = nn.ModuleList(
            nn.Sequential(
                SO3Conv(in_channels, out_channels, b, b, support),
                SpectralAct(out_channels, b, "shrink" if k else "gelu", oversample, bias=not k),
            )
            for k, b in parts
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels * D]`` to ``[B, out_channels * D]``."""
        self.check_input(x)
        return self.frame.inverse([layer(part) for layer, part in zip(self.parts, self.frame(x), strict=True)])

    def thresholds(self) -> Tensor:
        """The thresholds of the details ``[parts - 1, out_channels]``."""
        acts = [layer[1] for layer in self.parts]  # type: ignore[index]
        return torch.stack([nn.functional.softplus(a.threshold) for a in acts[1:]])
