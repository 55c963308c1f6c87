"""The layout of MobileNetV2 as rows of numbers, for the equivariant network and its plain twin alike."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One row of table 2 of Sandler et al., arXiv 1801.04381: expansion, channels, repeats, first stride."""

    expansion: int
    channels: int
    repeats: int
    stride: int


class Layout(NamedTuple):
    """Channels and stride of the stem, rows of blocks, channels before the head."""

    stem: int
    stem_stride: int
    rows: tuple[Row, ...]
    last: int


class BlockPlan(NamedTuple):
    """One inverted residual: fields taken, fields inside, fields given, stride; a skip where it can stand."""

    inputs: int
    hidden: int
    outputs: int
    stride: int


STANDARD = Layout(
    32,
    2,
    (
        Row(1, 16, 1, 1),
        Row(6, 24, 2, 2),
        Row(6, 32, 3, 2),
        Row(6, 64, 4, 2),
        Row(6, 96, 3, 1),
        Row(6, 160, 3, 2),
        Row(6, 320, 1, 1),
    ),
    1280,
)
#: for images of 32 to 64 pixels: three halvings in place of five
SMALL = Layout(16, 1, (Row(1, 16, 1, 1), Row(4, 24, 2, 2), Row(4, 32, 2, 2), Row(4, 64, 2, 2)), 256)

_LAYOUTS = {"standard": STANDARD, "small": SMALL}


def find_layout(name: str) -> Layout:
    """The layout of a name. Raises ``ValueError`` for an unknown one."""
    if name not in _LAYOUTS:
        raise ValueError(f"mobilenet_v2: got table={name!r}; expected one of {', '.join(_LAYOUTS)}")
    return _LAYOUTS[name]


def count_fields(channels: int, width: float, order: int) -> int:
    """Fields of ``order`` channels closest to ``width * channels``: at least one, and not below nine tenths of it."""
    wanted = width * channels / order
    fields = max(1, int(wanted + 0.5))
    return fields + 1 if fields < 0.9 * wanted else fields


def make_plan(layout: Layout, width: float, order: int) -> tuple[int, list[BlockPlan], int]:
    """Fields of the stem, every block, fields before the head (never narrower than at width 1)."""
    if not width > 0:
        raise ValueError(f"mobilenet_v2: width must be positive, got {width!r}")
    current = stem = count_fields(layout.stem, width, order)
    plan = []
    for row in layout.rows:
        outputs = count_fields(row.channels, width, order)
        for n in range(row.repeats):
            plan.append(BlockPlan(current, row.expansion * current, outputs, row.stride if n == 0 else 1))
            current = outputs
    return stem, plan, count_fields(layout.last, max(1.0, width), order)
