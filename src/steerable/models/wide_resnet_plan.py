"""Field types of an equivariant wide ResNet, matched to its plain twin in channels or in parameters."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch

from steerable.fields.type import FieldType
from steerable.groups import Group
from steerable.kernels.harmonic import orbit_bank
from steerable.kernels.rings import GaussianRings
from steerable.models.plain_wide_resnet import PlainWideResNet


class BlockPlan(NamedTuple):
    """Types and stride of one residual block, and the stage it belongs to."""

    stage: int
    in_type: FieldType
    mid_type: FieldType
    out_type: FieldType
    stride: int


def make_plan(
    stages: list[Group],
    sizes: list[int],
    widen: int,
    blocks: int,
    match: str,
    in_channels: int,
    head: str = "trivial",
    initial_stride: int = 1,
) -> list[BlockPlan]:
    """Plan of all blocks.

    Args:
        stages: finite group of each of three stages.
        sizes: kernel size of each stage.
        widen: width factor.
        blocks: blocks in a stage.
        match: ``"channels"`` or ``"params"``; the latter scales all fields alike until the weights of the convolutions
            agree with those of the plain net. The first convolution keeps the fields of equal parameters in both, as
            published: 16 channels hold but one field of D8.
        in_channels: channels of the image.
        head: ``"trivial"``: the last block ends in invariant channels; ``"gpool"``: in regular fields.
        initial_stride: stride of the first stage.

    Raises:
        ValueError: for a continuous group, groups that do not contain one another, or an unknown ``match`` or ``head``.
    """
    if head not in ("trivial", "gpool"):
        raise ValueError(f"WideResNet: unknown head {head!r}; expected 'trivial' or 'gpool'")
    for group in stages:
        if not group.is_finite:
            raise ValueError(f"WideResNet: expected finite groups such as C8 or D4, got {group.name}")
    for group, smaller in pairwise(stages):
        if not group.contains(smaller):
            raise ValueError(
                f"WideResNet: {smaller.name} is no subgroup of {group.name}, the group of the stage before; expected "
                f"groups that shrink, such as D8 D4 D1"
            )
    orders = [g.order or 1 for g in stages]
    rest = (blocks, head, initial_stride)
    if match == "channels":
        return _plan(stages, widen, [1 / n for n in orders], 1 / math.sqrt(orders[0]), *rest)
    if match != "params":
        raise ValueError(f"WideResNet: unknown match {match!r}; expected 'params' or 'channels'")
    with torch.device("meta"):
        twin = PlainWideResNet(in_channels, 1, 6 * blocks + 4, widen)
    target = sum(p.numel() for p in twin.parameters() if p.dim() == 4)
    shares = [math.sqrt(9 / (n * functions(g, k))) for n, g, k in zip(orders, stages, sizes, strict=True)]
    low, high = 0.25, 4.0
    for _ in range(24):
        scale = math.sqrt(low * high)
        plan = _plan(stages, widen, [scale * s for s in shares], scale * shares[0], *rest)
        low, high = (scale, high) if count_weights(plan, sizes, in_channels) < target else (low, scale)
    return _plan(stages, widen, [low * s for s in shares], low * shares[0], *rest)


def _plan(
    stages: list[Group],
    widen: int,
    shares: list[float],
    first: float,
    blocks: int,
    head: str,
    initial_stride: int,
) -> list[BlockPlan]:
    planes, strides = [16 * widen, 32 * widen, 64 * widen], [initial_stride, 2, 2]
    current = max(1, round(16 * first)) * stages[0].regular
    plan = []
    for i, group in enumerate(stages):
        if i and group != stages[i - 1]:  # a regular field restricts to several regular fields
            current = current.size // (group.order or 1) * group.regular
        wide = max(1, round(planes[i] * shares[i])) * group.regular
        for b in range(blocks):
            last = i == 2 and b == blocks - 1
            out = planes[2] * group.trivial if last and head == "trivial" else wide
            plan.append(BlockPlan(i, current, wide, out, strides[i] if b == 0 else 1))
            current = out
    return plan


def functions(group: Group, kernel_size: int) -> int:
    """Number of scalar filters of a kernel between regular fields."""
    return len(orbit_bank(group, GaussianRings.for_size(kernel_size), kernel_size))


def count_weights(plan: list[BlockPlan], sizes: list[int], in_channels: int) -> int:
    """Weights of all convolutions of a plan, from the sizes of the bases alone."""
    first = plan[0].in_type
    total = in_channels * first.num_fields * functions(first.group, 5)
    for block in plan:
        k = functions(block.in_type.group, sizes[block.stage])
        total += _pair(block.in_type, block.mid_type, k) + _pair(block.mid_type, block.out_type, k)
        if block.stride != 1 or block.in_type != block.out_type:
            total += _pair(block.in_type, block.out_type, 1)
    return total


def _pair(source: FieldType, target: FieldType, count: int) -> int:
    """Weights between regular and trivial fields."""
    both = not source.is_trivial and not target.is_trivial
    return source.num_fields * target.num_fields * count * ((source.group.order or 1) if both else 1)
