"""Quantisation-aware training: a network of numbers that already rounds like the integers to come."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.quant.affine import Affine
from steerable.quant.calibrate import Ranges
from steerable.quant.integer import QuantizedModel
from steerable.quant.program import Program


class FakeQuantModel(nn.Module):
    """A trainable copy of a model whose weights and activations are rounded as in the integer network.

    Rounding passes the gradient straight through, and cuts it where a value saturates (Jacob et al., arXiv 1712.05877).
    The parameters are those of the layers, so an equivariant network stays one while it trains; batch norms keep the
    statistics they had. In training mode ranges follow the data slowly; in eval they stand still.

    Args:
        program: the units, whose parameters learn.
        ranges: from calibration.
        momentum: how fast ranges follow.
    """

    def __init__(self, program: Program, ranges: Ranges, momentum: float = 0.01) -> None:
        super().__init__()
        self.program, self.momentum = program, momentum
        self.names = [n for n in ranges if n == "input" or not getattr(program.units[n], "keeps", False)]
        held = torch.tensor([ranges[n] for n in self.names], dtype=torch.float32)
        self.register_buffer("ranges", held)
        self._row = {name: i for i, name in enumerate(self.names)}
        for unit in program.linear_units():
            unit.faked = True

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to float logits."""
        return self.program.run(x, self._round)

    def _round(self, name: str, x: Tensor) -> Tensor:
        if name not in self._row or self.program.is_sums(name):
            return x
        row = self.ranges[self._row[name]]
        if self.training:
            with torch.no_grad():
                row.lerp_(torch.stack(x.detach().aminmax()).to(row), self.momentum)
        low, high = row.tolist()
        return Affine.of_range(low, high if max(high, 0.0) > min(low, 0.0) else low + 1.0).fake(x)

    def convert(self) -> QuantizedModel:
        """The integer network of the present weights and ranges."""
        ranges = {n: (float(a), float(b)) for n, (a, b) in zip(self.names, self.ranges.tolist(), strict=True)}
        return QuantizedModel(self.program.lower(ranges), self.program.shape)
