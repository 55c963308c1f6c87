"""Equivariant wide residual networks whose symmetry is restricted from stage to stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group, parse_group
from steerable.kernels.filters import Filters
from steerable.kernels.rings import GaussianRings
from steerable.models.wide_resnet_plan import BlockPlan, make_plan


class WideResNet(nn.Module):
    """Wide ResNet on regular fields, ``D8 D4 D1v`` style: a group for each of three stages.

    Pre-activation blocks as in Zagoruyko and Komodakis, arXiv 1605.07146; equivariant after Weiler and Cesa, arXiv
    1911.08251, section 3: 5x5 lift, stages of ``(depth - 4) / 6`` blocks with strides 1, 2, 2, restriction between
    stages, trivial fields at the end. Stages of more than four rotations use 5x5 kernels, which alone can hold them.

    Exact for quarter turns and reflections on sides that are 1 modulo 4 (33 for CIFAR), or modulo 8 with an initial
    stride of 2 (97 for STL-10): other sizes warn once. ``fit="resample"`` brings every image to such a side, and
    ``down="blur"`` makes every side exact.

    Args:
        in_channels: plain channels of the image.
        num_classes: number of logits.
        group: one group for all stages, in place of ``groups``.
        groups: group of each stage, by name or value; each must contain the next. One name serves all.
        depth: 10, 16, 22, 28, ...
        widen: width factor.
        match: ``"channels"``: as many channels as the plain net (equal compute); ``"params"``: as many parameters.
        dropout: probability within blocks.
        kernel_size: overrides the choice of 3 or 5.
        init: ``"he"``, or ``"delta"`` as in the published CIFAR and STL-10 runs.
        head: ``"trivial"``: the last convolution ends in invariant channels; ``"gpool"``: in regular fields, of which
            the largest orientation is taken.
        initial_stride: stride of the first stage; 2 for STL-10.
        fit: ``"resample"`` or ``"pad"`` the image to the next exact side, see :class:`steerable.nn.FitSide2d`.
        down: ``"stride"``, or ``"blur"``: a blurred downsampling before the convolutions in place of their stride.

    Raises:
        ValueError: for a depth that is no wide ResNet, a wrong number of groups, groups that do not shrink, or an
            unknown ``match``, ``head``, ``fit`` or ``down``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        group: str | Group | None = None,
        groups: str | Sequence[str | Group] = ("D4", "D4", "D1v"),
        depth: int = 16,
        widen: int = 4,
        match: str = "params",
        dropout: float = 0.0,
        kernel_size: int | None = None,
        init: str = "he",
        head: str = "trivial",
        initial_stride: int = 1,
        fit: str | None = None,
        down: str = "stride",
    ) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"WideResNet: depth must be 6 n + 4 (10, 16, 22, 28, ...), got {depth}")
        given = groups if group is None else group
        names = [given] * 3 if isinstance(given, str | Group) else list(given)
        if len(names) != 3:
            raise ValueError(f"WideResNet: expected one group for each of 3 stages, got {len(names)}: {names!r}")
        stages = [g if isinstance(g, Group) else parse_group(g) for g in names]
        sizes = [kernel_size or (3 if _rotations(g) <= 4 else 5) for g in stages]
        plan = make_plan(stages, sizes, widen, (depth - 4) // 6, match, in_channels, head, initial_stride)
        image = in_channels * stages[0].trivial
        self.fit = nn.Identity() if fit is None else snn.FitSide2d(image, 4 * initial_stride, mode=fit)
        self.lift = snn.Conv2d(image, plan[0].in_type, 5, padding=2, init=init, bias=False)
        self.stages, current = nn.ModuleList(), plan[0].in_type
        for i in range(3):
            layers: list[nn.Module] = []
            if i and stages[i] != stages[i - 1]:
                layers.append(snn.Restrict(current, stages[i]))
            for block in (b for b in plan if b.stage == i):
                layers.append(ResidualBlock(block, sizes[i], dropout, init, down))
                current = block.out_type
            self.stages.append(snn.Sequential(*layers))
        self.norm = snn.BatchNorm(current)
        self.act = snn.ReLU(current)
        self.group_pool = snn.GroupPool(current)  # nothing to do on invariant channels
        self.pool = snn.GlobalAvgPool2d()
        self.head = nn.Linear(current.num_fields, num_classes)

    def features(self, x: Tensor) -> list[Tensor]:
        """The three maps after each stage; their types are ``stages[i].out_type``.

        Equivariant under the group of their stage: a map turns with the image.
        """
        maps, x = [], self.lift(self.fit(x))
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        x = self.lift(self.fit(x))
        for stage in self.stages:
            x = stage(x)
        return self.head(self.pool(self.group_pool(self.act(self.norm(x)))))


class ResidualBlock(snn.EquivariantModule):
    """Norm, ReLU, conv, norm, ReLU, dropout, conv; the shortcut is a strided 1x1 of the activated input.

    Args:
        plan: types and stride.
        kernel_size: of both convolutions.
        dropout: probability of dropping a field between them.
        init: initialisation of the weights.
        down: ``"stride"`` or ``"blur"``.
        filters: from the size of a kernel to its functions; band-limited rings by default.

    Raises:
        ValueError: for an unknown ``down``.
    """

    def __init__(
        self,
        plan: BlockPlan,
        kernel_size: int,
        dropout: float = 0.0,
        init: str = "he",
        down: str = "stride",
        filters: Callable[[int], Filters] = GaussianRings.for_size,
    ) -> None:
        in_type, mid_type, out_type, stride = plan.in_type, plan.mid_type, plan.out_type, plan.stride
        super().__init__(in_type, out_type)
        if down not in ("stride", "blur"):
            raise ValueError(f"ResidualBlock: unknown down {down!r}; expected 'stride' or 'blur'")

        def conv(before: FieldType, after: FieldType, size: int, stride: int) -> snn.Conv2d:
            pad = size // 2
            return snn.Conv2d(before, after, size, stride, pad, bias=False, init=init, filters=filters(size))

        step = 1 if down == "blur" else stride
        self.norm1, self.act1 = snn.BatchNorm(in_type), snn.ReLU(in_type, inplace=True)
        self.down = snn.BlurPool2d(in_type, stride=stride) if step != stride else nn.Identity()
        self.conv1 = conv(in_type, mid_type, kernel_size, step)
        self.norm2, self.act2 = snn.BatchNorm(mid_type), snn.ReLU(mid_type, inplace=True)
        self.dropout = snn.FieldDropout(mid_type, dropout) if dropout else nn.Identity()
        self.conv2 = conv(mid_type, out_type, kernel_size, 1)
        self.shortcut = None if stride == 1 and in_type == out_type else conv(in_type, out_type, 1, step)

    def forward(self, x: Tensor) -> Tensor:
        """Residual sum."""
        activated = self.down(self.act1(self.norm1(x)))
        y = self.conv2(self.dropout(self.act2(self.norm2(self.conv1(activated)))))
        return y + (x if self.shortcut is None else self.shortcut(activated))


def _rotations(group: Group) -> int:
    return group.order // (2 if group.name.startswith("D") else 1) if group.order else 8
