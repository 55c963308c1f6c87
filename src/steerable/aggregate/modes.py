"""Fourier modes along circles with the modes first: what products of matrices want to have."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from steerable.aggregate.paths import runs_eagerly


def to_modes(x: Tensor) -> Tensor:
    """Sums ``x exp(-i m p)`` along the rows: real ``[R, P]`` to ``[2 M, R]``, real and imaginary part of each mode."""
    if torch.compiler.is_compiling() or not runs_eagerly(x):
        return _analysis(x)
    found: Any = _ToModes.apply(x)
    return found


def from_modes(wave: Tensor, steps: int) -> Tensor:
    """``Re(F_0 + 2 sum F_m exp(i m p))``, the last mode of an even number of steps once: ``[2 M, R]`` to ``[R, P]``."""
    if torch.compiler.is_compiling() or not runs_eagerly(wave):
        return _synthesis(wave, steps)
    found: Any = _FromModes.apply(wave, steps)
    return found


def _analysis(x: Tensor) -> Tensor:
    wave = torch.view_as_real(torch.fft.rfft(x))
    return wave.flatten(1).t().contiguous()  # the transposition of a matrix is fast, other permutations are not


def _synthesis(wave: Tensor, steps: int) -> Tensor:
    return torch.fft.irfft(torch.view_as_complex(wave.t().contiguous().unflatten(1, (-1, 2))), n=steps, norm="forward")


def _counts(wave: Tensor, steps: int) -> Tensor:
    """How often a mode counts in the synthesis, ``[2 M, 1]``."""
    counts = wave.new_full((wave.shape[0], 1), 2.0)
    counts[:2] = 1
    if steps % 2 == 0:
        counts[-2:] = 1
    return counts


class _ToModes(torch.autograd.Function):
    """The transpose of an analysis is a synthesis of real numbers; the derivative of ``rfft`` takes a complex one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """``[R, P]`` to ``[2 M, R]``."""
        ctx.steps = x.shape[1]
        return _analysis(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """The transpose."""
        return from_modes(grads[0] / _counts(grads[0], ctx.steps), ctx.steps)


class _FromModes(torch.autograd.Function):
    """The other way."""

    @staticmethod
    def forward(ctx: Any, wave: Tensor, steps: int) -> Tensor:
        """``[2 M, R]`` to ``[R, P]``."""
        ctx.steps = steps
        return _synthesis(wave, steps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """The transpose."""
        wave = to_modes(grads[0])
        return wave * _counts(wave, ctx.steps), None
