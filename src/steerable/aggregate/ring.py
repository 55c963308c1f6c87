"""Contraction on circles of latitude: a kernel depends on differences of longitude only, so its modes multiply.

The cost is the same however wide a kernel is. Along the meridian a kernel is narrow: blocks of output rings see a
window of input rings, and every mode of every block is one matrix product.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


class Blocks(NamedTuple):
    """Output rings in blocks, each with a window of input rings; windows start at equal steps.

    Attributes:
        count: number of blocks.
        tall: output rings of a block.
        step: input rings from one window to the next.
        width: input rings of a window.
        front: the first window starts so many rings before the first ring.
    """

    count: int
    tall: int
    step: int
    width: int
    front: int


def ring_blocks(ring: np.ndarray, source: np.ndarray, outputs: int, inputs: int) -> Blocks:
    """Blocks about as high as the kernel is wide: products are large then, and half of them are not with zeros.

    Args:
        ring: output ring of each pair ``[E]``.
        source: input ring ``[E]``.
        outputs: number of output rings.
        inputs: number of input rings.
    """
    first, last = np.full(outputs, inputs), np.zeros(outputs, dtype=np.int64)
    np.minimum.at(first, ring, source)
    np.maximum.at(last, ring, source)
    first = np.minimum(first, last)
    tall = int(np.clip((last - first + 1).max(initial=1), 4, 32))
    step = max(1, round(tall * inputs / outputs))
    count = -(-outputs // tall)
    block = np.arange(outputs) // tall
    front = max(0, int((block * step - first).max(initial=0)))
    width = front + int((last - block * step).max(initial=0)) + 1
    count = max(count, -(-(front + inputs) // step))  # a window may reach into the next mode, but never needs it
    return Blocks(count, tall, step, width, front)


def ring_tables(
    place: tuple[np.ndarray, np.ndarray, np.ndarray], values: np.ndarray, steps: int, blocks: Blocks
) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine coefficients of functions along longitude, ``[K, M * blocks, tall, width]`` each.

    ``sum_p Y(p) cos(m p)`` and ``sum_p Y(p) sin(m p)`` with p in steps of the input grid.

    Args:
        place: output ring, input ring and step of each pair, ``[E]`` each.
        values: functions ``[E, K]``.
        steps: number of longitudes of the input.
        blocks: of rings.
    """
    ring, source, step = place
    count, tall, stride, width, front = blocks
    block, row = ring // tall, ring % tall
    cell = ((block * tall + row) * width + source - block * stride + front) * steps + step
    used, index = np.unique(cell // steps, return_inverse=True)  # most of a window is empty
    found = np.zeros((2, values.shape[1], steps // 2 + 1, count * tall * width))
    for k in range(values.shape[1]):
        dense = np.bincount(index * steps + step, weights=values[:, k], minlength=len(used) * steps)
        wave = np.fft.rfft(dense.reshape(len(used), steps))
        found[0, k][:, used], found[1, k][:, used] = wave.real.T, -wave.imag.T
    found = found.reshape(2, values.shape[1], -1, tall, width)
    return found[0], found[1]


class RingTerm(NamedTuple):
    """Some functions on some input channels for some output channels.

    Attributes:
        channels: numbers of the input channels ``[c]``; ``None`` for all.
        table: coefficients of the functions ``[K, M * blocks, tall, width]``.
        matrices: what they are multiplied by, ``[o, c, K]``.
        sine: whether these are the coefficients of the sines.
    """

    channels: Tensor | None
    table: Tensor
    matrices: Tensor
    sine: bool


def ring_conv(x: Tensor, blocks: Blocks, outputs: list[tuple[int, list[RingTerm]]], rings: int) -> Tensor:
    """``y[b, o, t, q] = sum_(c, k, s, p) T[o, c, k] Y_k(t; s, p) x[b, c, s, p + q]``.

    Args:
        x: ``[B, C, S, P]``, float32 or float64.
        blocks: of rings.
        outputs: for each run of output channels their number and the terms to be summed.
        rings: number T of output rings.

    Returns:
        ``[B, C_out, T, P]``, the runs one after the other.
    """
    batch, _, inputs, longitudes = x.shape
    modes, (count, tall, step, width, front) = longitudes // 2 + 1, blocks
    wave = torch.fft.rfft(x).permute(3, 2, 0, 1)  # [M, S, B, C]
    wave = F.pad(wave, (0, 0, 0, 0, front, count * step - front - inputs)).flatten(0, 1)
    wave = F.pad(wave, (0, 0, 0, 0, 0, max(0, width - step)))  # the last window has no next mode to reach into
    found = []
    for channels, terms in outputs:
        size = 2 * batch * channels
        total = x.new_zeros(modes * count, tall, size)
        for term in terms:
            part = wave if term.channels is None else wave[..., term.channels]
            matrices = term.matrices.to(wave.dtype) * (1j if term.sine else 1)
            for k in range(matrices.shape[2]):
                mixed = torch.view_as_real(part @ matrices[:, :, k].mT).flatten()
                near = mixed.unfold(0, width * size, step * size)[: modes * count].unflatten(1, (width, size))
                total = torch.baddbmm(total, term.table[k], near)
        found.append(total.view(modes, count * tall, batch, channels, 2)[:, :rings])
    y = torch.view_as_complex(found[0] if len(found) == 1 else torch.cat(found, 3))
    return torch.fft.irfft(y.permute(2, 3, 1, 0), n=longitudes)
