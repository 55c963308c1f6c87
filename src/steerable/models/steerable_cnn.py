"""A steerable CNN in the style of the E(2) benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group, parse_group

#: fields of the benchmark for C16 (Weiler and Cesa, 2019), halved: enough for small data on a laptop
FIELDS = (8, 12, 16, 16, 24, 32)
KERNELS = (7, 5, 5, 5, 5, 5)


class SteerableCNN(nn.Module):
    """Six steerable convolutions, two blurred downsamplings, an invariant head.

    Finite groups use regular fields with ReLU and a maximum over the group; SO2 and O2 band-limited regular fields
    with a
    Fourier ReLU and norms. After Weiler and Cesa, arXiv 1911.08251, table 8, with pooling that is exact on every size
    (blur windows fitted to the side) and a disc mask, so that turned corners tell nothing.

    Args:
        in_channels: plain channels of the image.
        num_classes: number of logits.
        group: C(n), D(n), SO2 or O2, by name or value.
        fields: number of fields of each convolution.
        kernels: side of each kernel.
        pool_after: convolutions (from 1) that are followed by a halving of the sides.
        hidden: width of the dense layer on the invariants.
        dropout: probability on the invariants.
        mask: whether to cut the input to a disc.
        frequency: band of the fields of SO2 and O2.

    Raises:
        ValueError: if ``fields`` and ``kernels`` differ in length.
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
        frequency: int = 3,
    ) -> None:
        super().__init__()
        if len(fields) != len(kernels):
            raise ValueError(
                f"SteerableCNN: expected one kernel for each convolution, got {len(fields)} fields and "
                f"{len(kernels)} kernels"
            )
        group = group if isinstance(group, Group) else parse_group(group)
        rep = group.regular if group.is_finite else group.spectral_regular(frequency)
        current: FieldType = in_channels * group.trivial
        layers: list[nn.Module] = [snn.DiscMask(current)] if mask else []
        for i, (count, kernel) in enumerate(zip(fields, kernels, strict=True), 1):
            wide = count * rep
            layers += [
                snn.Conv2d(current, wide, kernel, padding=kernel // 2, bias=False),
                snn.BatchNorm(wide),
                snn.ReLU(wide, inplace=True) if group.is_finite else snn.FourierAct(wide),
            ]
            if i in pool_after:
                layers.append(snn.BlurPool2d(wide))
            current = wide
        layers.append(snn.GroupPool(current) if group.is_finite else snn.NormPool(current))
        self.features = snn.Sequential(*layers, snn.GlobalMaxPool2d())
        width = layers[-1].out_type.size  # type: ignore[union-attr]
        self.head = nn.Sequential(
            nn.Linear(width, hidden),
            nn.BatchNorm1d(hidden),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        return self.head(self.features(x))
