"""The plain twin of the steerable CNN, matched in parameters or in compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.groups import C, Group, parse_group
from steerable.models.steerable_cnn import FIELDS, KERNELS, SteerableCNN


class PlainCNN(nn.Module):
    """The layers of :class:`SteerableCNN` without symmetry.

    Args:
        in_channels, num_classes, group, fields, kernels, pool_after, hidden, dropout, mask: those of the steerable net
            that this one is to match.
        match: ``"params"``: all widths scaled so that parameters agree; ``"compute"``: the same number of channels, so
            the same multiplications as the baked steerable net.

    Raises:
        ValueError: for another ``match``.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        group: str | Group = "C8",
        fields: Sequence[int] = FIELDS,
        kernels: Sequence[int] = KERNELS,
        pool_after: Sequence[int] = (2, 4),
        hidden: int = 64,
        dropout: float = 0.0,
        mask: bool = True,
        match: str = "params",
    ) -> None:
        super().__init__()
        group = group if isinstance(group, Group) else parse_group(group)
        if match not in ("params", "compute"):
            raise ValueError(f"PlainCNN: unknown match {match!r}; expected 'params' or 'compute'")
        rep = group.regular if group.is_finite else group.spectral_regular(3)
        channels = [f * rep.size for f in fields]
        if match == "params":
            twin = SteerableCNN(in_channels, num_classes, group, fields, kernels, pool_after, hidden)

            def build(factor: float) -> nn.Module:
                widths = [max(1, round(c * factor)) for c in channels]
                return _features(in_channels, widths, kernels, pool_after, mask, hidden, num_classes, dropout)

            factor = match_width(build, count_parameters(twin))
            channels = [max(1, round(c * factor)) for c in channels]
        self.net = _features(in_channels, channels, kernels, pool_after, mask, hidden, num_classes, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        return self.net(x)


def _features(
    in_channels: int,
    channels: Sequence[int],
    kernels: Sequence[int],
    pool_after: Sequence[int],
    mask: bool,
    hidden: int,
    num_classes: int,
    dropout: float,
) -> nn.Sequential:
    one = C(1)
    layers: list[nn.Module] = [snn.bake(snn.DiscMask(in_channels * one.trivial))] if mask else []
    current = in_channels
    for i, (width, kernel) in enumerate(zip(channels, kernels, strict=True), 1):
        layers += [
            nn.Conv2d(current, width, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        if i in pool_after:
            layers.append(snn.bake(snn.BlurPool2d(width * one.trivial)))
        current = width
    return nn.Sequential(
        *layers,
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(current, hidden),
        nn.BatchNorm1d(hidden),
        nn.ELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, num_classes),
    )


def count_parameters(model: nn.Module) -> int:
    """Number of learned values."""
    return sum(p.numel() for p in model.parameters())


def match_width(build: Callable[[float], nn.Module], target: int) -> float:
    """Width factor for which ``build(factor)`` has the number of parameters closest to ``target``."""
    low, high = 0.01, 4.0
    for _ in range(14):
        middle = (low * high) ** 0.5
        if count_parameters(build(middle)) < target:
            low = middle
        else:
            high = middle
    return min((low, high), key=lambda f: abs(count_parameters(build(f)) - target))
