"""Contraction on circles of latitude: a kernel depends on differences of longitude only, so its modes multiply.

The cost is the same however wide a kernel is. Along the meridian a kernel is narrow: blocks of output rings see a
window of input rings, and every mode of every block is one matrix product. Real and imaginary parts are rows like any
others, and the order (mode, block, part, batch, channel, ring) lets each of the two products be a batched one whose
operands lie as the last step left them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from steerable.aggregate.modes import from_modes, to_modes
from steerable.aggregate.paths import runs_eagerly


class Blocks(NamedTuple):
    """Output rings in blocks, each with a window of input rings.

    Attributes:
        tall: output rings of a block.
        width: input rings of a window.
        starts: first ring of each window.
    """

    tall: int
    width: int
    starts: tuple[int, ...]


def ring_blocks(ring: np.ndarray, source: np.ndarray, outputs: int, inputs: int) -> Blocks:
    """Blocks of 16 rings: lower ones waste less on zeros, but the products are then too thin. Few rings are one block.

    Args:
        ring: output ring of each pair ``[E]``.
        source: input ring ``[E]``.
        outputs: number of output rings.
        inputs: number of input rings.
    """
    tall = 16 if outputs > 32 else outputs
    first, last = np.full(-(-outputs // tall), inputs), np.zeros(-(-outputs // tall), dtype=np.int64)
    np.minimum.at(first, ring // tall, source)
    np.maximum.at(last, ring // tall, source)
    first = np.minimum(first, last)
    width = inputs if len(first) == 1 else int((last - first).max()) + 1
    return Blocks(tall, width, tuple(np.minimum(first, inputs - width).tolist()))


def ring_tables(
    place: tuple[np.ndarray, np.ndarray, np.ndarray], values: np.ndarray, steps: int, blocks: Blocks
) -> list[tuple[bool, np.ndarray, np.ndarray]]:
    """Cosine and sine coefficients of functions along longitude, those that are not zero.

    ``sum_p Y(p) cos(m p)`` and ``sum_p Y(p) sin(m p)`` with p in steps of the input grid, over the number of steps.

    Args:
        place: output ring, input ring and step of each pair, ``[E]`` each.
        values: functions ``[E, K]``.
        steps: number of longitudes of the input.
        blocks: of rings.

    Returns:
        Whether these are sines, which functions have any ``[K]``, and their coefficients
        ``[M * blocks, width, K' * tall]``.
    """
    ring, source, step = place
    tall, width, starts = blocks
    block, row = ring // tall, ring % tall
    cell = ((block * width + source - np.array(starts)[block]) * tall + row) * steps + step
    cells, index = np.unique(cell // steps, return_inverse=True)  # most of a window is empty
    size, count = steps * len(cells), values.shape[1]
    dense = [np.bincount(index * steps + step, weights=values[:, k], minlength=size) for k in range(count)]
    waves = np.fft.rfft(np.reshape(dense, (count, len(cells), steps))) / steps
    found = []
    for odd, coefficients in ((False, waves.real), (True, -waves.imag)):
        used = np.abs(coefficients).max((1, 2), initial=0) > 1e-12 * np.abs(waves).max(initial=0)
        if used.any():
            kept = coefficients[used]
            table = np.zeros((steps // 2 + 1, len(starts) * width * len(kept) * tall))
            for k, wave in enumerate(kept):
                table[:, (cells // tall * len(kept) + k) * tall + cells % tall] = wave.T
            found.append((odd, used, table.reshape(-1, width, len(kept) * tall)))
    return found


class RingTerm(NamedTuple):
    """Some functions on some input channels for some output channels.

    Attributes:
        part: which of the parts of the input.
        table: coefficients of the functions ``[M * blocks, width, K * tall]``.
        matrices: what they are multiplied by, ``[o, c, K]``.
        sine: whether these are the coefficients of the sines.
    """

    part: int
    table: Tensor
    matrices: Tensor
    sine: bool


def ring_conv(x: Tensor, sizes: list[int], blocks: Blocks, outputs: list[list[RingTerm]], rings: int) -> Tensor:
    """``y[b, o, t, q] = sum_(c, k, s, p) T[o, c, k] Y_k(t; s, p) x[b, c, s, p + q]``.

    Args:
        x: ``[B, C, S, P]``, float32 or float64.
        sizes: channels of each part.
        blocks: of rings.
        outputs: the terms to be summed for each run of output channels.
        rings: number T of output rings.

    Returns:
        ``[B, C_out, T, P]``, the runs one after the other.
    """
    batch, channels, inputs, longitudes = x.shape
    modes, count, tall = longitudes // 2 + 1, len(blocks.starts), blocks.tall
    wave = to_modes(x.flatten(0, 2)).view(modes, 2, batch, channels, inputs)
    near = {}
    for k, part in enumerate(wave.split(sizes, 3)):
        near[k, False] = windows(part, blocks.starts, blocks.width).view(modes * count, 2, -1, blocks.width)
    found = []
    for terms in outputs:
        total = None
        for part, table, matrices, sine in terms:
            if (part, sine) not in near:
                re, im = near[part, False].unbind(1)
                near[part, sine] = torch.stack([-im, re], 1)  # times i
            taken = torch.bmm(near[part, sine].flatten(1, 2), table).view(modes * count * 2 * batch, -1, tall)
            mixing = matrices.flatten(1).expand(taken.shape[0], -1, -1)
            total = torch.bmm(mixing, taken) if total is None else torch.baddbmm(total, mixing, taken)
        if total is not None:
            found.append(total.view(modes, count, 2, batch, -1, tall))
    y = found[0] if len(found) == 1 else torch.cat(found, 4)
    y = y.permute(0, 2, 3, 4, 1, 5).flatten(4)[..., :rings]
    return from_modes(y.flatten(2).flatten(0, 1), longitudes).view(*y.shape[2:], longitudes)


def windows(x: Tensor, starts: tuple[int, ...], width: int) -> Tensor:
    """Pieces of the last axis one after the other: ``[M, ..., S]`` to ``[M, N, ..., width]``."""
    if len(starts) == 1 and width == x.shape[-1]:
        return x[:, None].contiguous()
    if torch.compiler.is_compiling() or not runs_eagerly(x):
        return torch.stack([x[..., a : a + width] for a in starts], 1)
    found: Any = _Windows.apply(x, starts, width)
    return found


class _Windows(torch.autograd.Function):
    """The derivative of many slices would be as many tensors of full size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, starts: tuple[int, ...], width: int) -> Tensor:
        """``[M, ..., S]`` to ``[M, N, ..., width]``."""
        ctx.starts, ctx.width, ctx.size = starts, width, x.shape[-1]
        out = x.new_empty(x.shape[0], len(starts), *x.shape[1:-1], width)
        for k, a in enumerate(starts):
            out[:, k] = x[..., a : a + width]
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """The sum of overlapping windows."""
        found: Any = _Overlaps.apply(grads[0], ctx.starts, ctx.width, ctx.size)
        return found, None, None


class _Overlaps(torch.autograd.Function):
    """The transpose of ``_Windows``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, starts: tuple[int, ...], width: int, size: int) -> Tensor:
        """``[M, N, ..., width]`` to ``[M, ..., S]``."""
        ctx.starts, ctx.width = starts, width
        out = x.new_zeros(x.shape[0], *x.shape[2:-1], size)
        for k, a in enumerate(starts):
            out[..., a : a + width] += x[:, k]
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        """The windows again."""
        return windows(grads[0], ctx.starts, ctx.width), None, None, None
