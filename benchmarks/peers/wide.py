"""WRN-16-4 with C8 regular fields in escnn, and its plain twin: only their construction is timed.

Wide ResNet, Zagoruyko and Komodakis 2016 (arXiv:1605.07146): depth 16 = 3 stages of 2 blocks, widths 64, 128, 256.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

STAGES = ((16, 64, 1), (64, 128, 2), (128, 256, 2))


def plain_wide(k: int) -> nn.Module:
    """The layers of the plain WRN-16-4 with ``k`` x ``k`` kernels in the blocks."""
    pad = k // 2
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 5, padding=2, bias=False)]
    for before, after, stride in STAGES:
        for width, s in ((before, stride), (after, 1)):
            layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, after, k, stride=s, padding=pad, bias=False)]
            layers += [nn.BatchNorm2d(after), nn.ReLU(), nn.Conv2d(after, after, k, padding=pad, bias=False)]
            if width != after:
                layers.append(nn.Conv2d(width, after, 1, stride=s, bias=False))
    return nn.ModuleList([*layers, nn.BatchNorm2d(256), nn.Linear(256, 10)])


def wide(enn: Any, regular: Callable[[int], Any], k: int) -> nn.Module:
    """The same layers over regular fields: channels / 8 fields each. ``regular(fields)`` makes the type."""
    act, pad = regular(1).gspace, k // 2
    types = {channels: regular(channels // 8) for channels in (16, 64, 128, 256)}
    rgb = enn.FieldType(act, 3 * [act.trivial_repr])
    layers: list[nn.Module] = [enn.R2Conv(rgb, types[16], 5, padding=2, bias=False)]
    for before, after, stride in STAGES:
        for width, s in ((before, stride), (after, 1)):
            a, b = types[width], types[after]
            layers += [enn.InnerBatchNorm(a), enn.ReLU(a), enn.R2Conv(a, b, k, stride=s, padding=pad, bias=False)]
            layers += [enn.InnerBatchNorm(b), enn.ReLU(b), enn.R2Conv(b, b, k, padding=pad, bias=False)]
            if width != after:
                layers.append(enn.R2Conv(a, b, 1, stride=s, bias=False))
    return nn.ModuleList([*layers, enn.InnerBatchNorm(types[256]), enn.GroupPooling(types[256]), nn.Linear(32, 10)])
