"""Field types of an equivariant wide ResNet, matched to its plain twin in channels or in parameters."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from steerable.fields.type import FieldType
from steerable.groups import Group
from steerable.kernels.filters import GaussianRings
from steerable.kernels.harmonic import orbit_bank
from steerable.models.plain_wide_resnet import PlainWideResNet


class BlockPlan(NamedTuple):
    """Types and stride of one residual block, and the stage it belongs to."""

    stage: int
    in_type: FieldType
    mid_type: FieldType
    out_type: FieldType
    stride: int


def make_plan(
    stages: list[Group], sizes: list[int], widen: int, blocks: int, match: str, in_channels: int
) -> list[BlockPlan]:
    """Plan of all blocks.

    Args:
        stages: finite group of each of three stages.
        sizes: kernel size of each stage.
        widen: width factor.
        blocks: blocks in a stage.
        match: ``"channels"`` or ``"params"``; the latter scales all fields alike until the weights of the convolutions
            agree with those of the plain net.
        in_channels: channels of the image.

    Raises:
        ValueError: for a continuous group or an unknown ``match``.
    """
    for group in stages:
        if not group.is_finite:
            raise ValueError(f"WideResNet: expected finite groups such as C8 or D4, got {group.name}")
    if match == "channels":
        return _plan(stages, widen, blocks, [1 / (g.order or 1) for g in stages])
    if match != "params":
        raise ValueError(f"WideResNet: unknown match {match!r}; expected 'params' or 'channels'")
    with torch.device("meta"):
        twin = PlainWideResNet(in_channels, 1, 6 * blocks + 4, widen)
    target = sum(p.numel() for p in twin.parameters() if p.dim() == 4)
    shares = [math.sqrt(9 / ((g.order or 1) * functions(g, k))) for g, k in zip(stages, sizes, strict=True)]
    low, high = 0.25, 4.0
    for _ in range(24):
        scale = math.sqrt(low * high)
        plan = _plan(stages, widen, blocks, [scale * s for s in shares])
        low, high = (scale, high) if count_weights(plan, sizes, in_channels) < target else (low, scale)
    return _plan(stages, widen, blocks, [low * s for s in shares])


def _plan(stages: list[Group], widen: int, blocks: int, shares: list[float]) -> list[BlockPlan]:
    planes = [16 * widen, 32 * widen, 64 * widen]
    current = max(1, round(16 * shares[0])) * stages[0].regular
    plan = []
    for i, group in enumerate(stages):
        if i and group != stages[i - 1]:  # a regular field restricts to several regular fields
            current = current.size // (group.order or 1) * group.regular
        wide = max(1, round(planes[i] * shares[i])) * group.regular
        for b in range(blocks):
            last = i == 2 and b == blocks - 1
            out = planes[2] * group.trivial if last else wide
            plan.append(BlockPlan(i, current, wide, out, 2 if b == 0 and i else 1))
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
