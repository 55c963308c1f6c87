"""Baked models against plain models of the same channels, with batch norm folded on both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks.blocks import SEED, Residual, forward_only, images, plain_block, steerable_block
from benchmarks.harness import Timed
from benchmarks.timing import Thunk

# "1.00 within noise": the interval has to stay within the 3 % that the control is allowed.
GOAL = 1.03
NOTE = "goal 1.00 within the 3 % that the control is allowed; batch norms folded on both sides"


def folded(block: Residual) -> Residual:
    """The plain block in eval with its two batch norms folded."""
    conv1, norm1, act, conv2, norm2 = block.eval().body  # type: ignore[misc]
    body = nn.Sequential(fuse_conv_bn_eval(conv1, norm1), act, fuse_conv_bn_eval(conv2, norm2))
    return Residual(body, block.act).eval()


def _ours(fields: int, batch: int) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        import steerable as st

        torch.manual_seed(SEED)
        return forward_only(st.bake(steerable_block(fields).eval()), images(batch, 8 * fields))

    return run


def _plain(fields: int, batch: int) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        torch.manual_seed(SEED)
        return forward_only(folded(plain_block(8 * fields)), images(batch, 8 * fields))

    return run


def _chain(batch: int, *, plain: bool) -> Callable[[Any], Thunk]:
    """conv, batch norm, ReLU, twice, then group pool: the shape of a small classifier without its head."""

    def run(_: Any) -> Thunk:
        import steerable as st

        torch.manual_seed(SEED)
        x = images(batch, 3, 33)
        if plain:
            first = fuse_conv_bn_eval(nn.Conv2d(3, 128, 7, padding=3, bias=False).eval(), nn.BatchNorm2d(128).eval())
            second = fuse_conv_bn_eval(nn.Conv2d(128, 128, 5, padding=2, bias=False).eval(), nn.BatchNorm2d(128).eval())
            net = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())
            return forward_only(net.eval(), x)
        group = st.C(8)
        rgb, deep = 3 * group.trivial, 16 * group.regular
        made = st.nn.Sequential(
            st.nn.Conv2d(rgb, deep, kernel_size=7, padding=3, bias=False),
            st.nn.BatchNorm(deep),
            st.nn.ReLU(deep),
            st.nn.Conv2d(deep, deep, kernel_size=5, padding=2, bias=False),
            st.nn.BatchNorm(deep),
            st.nn.ReLU(deep),
        )
        return forward_only(st.bake(made.eval()), x)

    return run


def _entry(fields: int, batch: int) -> Timed:
    return Timed(
        f"baked/block_c8_{fields}f_b{batch}",
        f"baked residual block C8 {fields} fields / plain, folded, batch {batch}",
        goal=GOAL,
        setup=lambda: None,
        run=_ours(fields, batch),
        reference=_plain(fields, batch),
        notes=NOTE,
    )


ENTRIES = (
    _entry(8, 1),
    _entry(8, 16),
    _entry(16, 4),
    Timed(
        "baked/chain_c8_16f_b4",
        "baked chain conv7, norm, ReLU, conv5, norm, ReLU, C8 16 fields / plain, folded, batch 4",
        goal=GOAL,
        peer="exported_chain_c8_16f_b4",
        setup=lambda: None,
        run=_chain(4, plain=False),
        reference=_chain(4, plain=True),
        notes=NOTE,
    ),
)
