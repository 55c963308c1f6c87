"""Spherical harmonic transforms against torch-harmonics (where it is installed) and against its algorithm in torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.harness import Entry, Timed, Value
from benchmarks.peers.harmonics import has_torch_harmonics
from benchmarks.timing import Thunk


class State(NamedTuple):
    """A batch, our tables, and the transform that they are compared with."""

    x: Tensor
    tables: Any
    reference: Callable[[Tensor], Tensor]


def state(band: int, peer: str, inverse: bool = False) -> Callable[[], State]:
    """Eight scalars on Gauss rings; ``peer`` is "th" or "anchor"."""

    def make() -> State:
        import steerable as st
        from steerable.domains.spectral import Circles, sht, sht_tables

        torch.manual_seed(0)
        x = torch.randn(8, band, 2 * band)
        tables = sht_tables(Circles.of(st.Sphere.gauss(band)), band)
        reference = harmonics(band, inverse) if peer == "th" else anchor(band, tables)
        return State(sht(x, tables).contiguous() if inverse else x, tables, reference)

    return make


def harmonics(band: int, inverse: bool) -> Callable[[Tensor], Tensor]:
    """Theirs, on the same rings, with as many degrees and orders."""
    import torch_harmonics as th  # pyright: ignore[reportMissingImports]

    kind = th.InverseRealSHT if inverse else th.RealSHT
    return kind(band, 2 * band, lmax=band, mmax=band, grid="legendre-gauss").float()


def anchor(band: int, tables: Any) -> Callable[[Tensor], Tensor]:
    """Their algorithm in plain torch: rfft, then a contraction with the table of all rings, orders and degrees."""
    from steerable.domains.spectral import isht

    height = tables.to(torch.float64)
    full = torch.zeros(band, band, band, dtype=torch.float64)
    for m in range(band):
        c = torch.zeros(band, band, band, dtype=torch.complex128)
        c[torch.arange(band), torch.arange(band), m] = 1
        full[m] = torch.fft.rfft(isht(c, height))[..., m].real / (2 * band)
    weights = height.constants["weights"]
    contracted = (full * weights[:, 0]).float()  # [m, l, t]

    def run(x: Tensor) -> Tensor:
        spectrum = torch.view_as_real(torch.fft.rfft(x)[..., :band])
        return torch.view_as_complex(torch.einsum("...kmr,mlk->...lmr", spectrum, contracted).contiguous())

    return run


def ours(inverse: bool) -> Callable[[State], Thunk]:
    """One transform without gradient."""

    def prepare(s: State) -> Thunk:
        from steerable.domains.spectral import isht, sht

        function = isht if inverse else sht

        def thunk() -> Tensor:
            with torch.no_grad():
                return function(s.x, s.tables)

        return thunk

    return prepare


def theirs(s: State) -> Thunk:
    """The reference without gradient."""

    def thunk() -> Tensor:
        with torch.no_grad():
            return s.reference(s.x)

    return thunk


def share(band: int) -> Callable[[], float]:
    """Numbers in our tables for both directions over those of one direction for all rings, orders and degrees."""

    def compute() -> float:
        import steerable as st
        from steerable.domains.spectral import Circles, sht_tables

        return sht_tables(Circles.of(st.Sphere.gauss(band)), band).nbytes / (4 * band**3)

    return compute


def round_trip(band: int, dtype: torch.dtype) -> Callable[[], float]:
    """Largest error of white coefficients after synthesis and analysis, over the largest coefficient."""

    def compute() -> float:
        import steerable as st
        from steerable.domains.spectral import Circles, isht, sht, sht_tables

        torch.manual_seed(0)
        tables = sht_tables(Circles.of(st.Sphere.gauss(band)), band, dtype=dtype)
        c = sht(torch.randn(1, band, 2 * band, dtype=dtype), tables)
        return float((sht(isht(c, tables), tables) - c).abs().max() / c.abs().max())

    return compute


def growth(batch: int) -> Callable[[], float]:
    """Exponent in L of the analysis on SO(3), L = 16, 24, 32, 48."""

    def compute() -> float:
        import time

        import numpy as np

        import steerable as st

        logs = []
        for band in (16, 24, 32, 48):
            layer, found = st.nn.SO3Analysis(band), []
            x = torch.randn(batch, 1, *layer.plan.shape)
            with torch.no_grad():
                for _ in range(9):
                    start = time.process_time()
                    layer(x)
                    found.append(time.process_time() - start)
            logs.append((math.log(band), math.log(min(found))))
        return float(np.polyfit(*zip(*logs, strict=True), 1)[0])

    return compute


def act_state() -> State:
    """Functions on SO(3) of band 10, and as many samples as the activation takes."""
    import steerable as st

    torch.manual_seed(0)
    layer = st.nn.SpectralAct(8, 10)
    x = torch.randn(16, layer.in_type.size, requires_grad=True)
    samples = layer.synthesis(x).detach().requires_grad_()
    return State(samples, x, layer)


def act_step(s: State) -> Thunk:
    """The activation by coefficients with its gradient."""
    return lambda: torch.autograd.grad(s.reference(s.tables).square().sum(), s.tables)


def bare_step(s: State) -> Thunk:
    """A GELU at its samples with its gradient."""
    return lambda: torch.autograd.grad(torch.nn.functional.gelu(s.x).square().sum(), s.x)


_GOALS = {64: 1 / 2.5, 128: 1 / 3.5, 256: 1 / 5}

ENTRIES: tuple[Entry, ...] = (
    *(
        Timed(
            f"sphere_transforms/{'isht' if inverse else 'sht'}_{band}",
            f"{'inverse ' if inverse else ''}SHT, L = {band}, batch 8, float32: ours / torch-harmonics",
            goal=None if inverse else goal,
            setup=state(band, "th", inverse),
            run=ours(inverse),
            reference=theirs,
        )
        for band, goal in _GOALS.items()
        for inverse in (False, True)
        if has_torch_harmonics()
    ),
    *(
        Timed(
            f"sphere_transforms/anchor_{band}",
            f"SHT, L = {band}, batch 8, float32: ours / rfft and einsum with the whole table in torch",
            goal=None,
            setup=state(band, "anchor"),
            run=ours(False),
            reference=theirs,
        )
        for band in (64, 128)
    ),
    *(
        Value(
            f"sphere_transforms/tables_{band}",
            f"numbers of the tables of both directions, L = {band} / all rings, orders and degrees once",
            goal=0.5,
            compute=share(band),
        )
        for band in (64, 128, 256)
    ),
    *(
        Value(
            f"sphere_transforms/round_trip_{band}_{str(dtype).removeprefix('torch.')}",
            f"round trip of scalars, L = {band}, {str(dtype).removeprefix('torch.')}",
            goal=goal,
            compute=round_trip(band, dtype),
        )
        for band, dtype, goal in (
            (64, torch.float64, 2e-12),
            (256, torch.float64, 1e-11),
            (64, torch.float32, 1e-5),
            (256, torch.float32, 2e-5),
        )
    ),
    Timed("sphere_transforms/so3_act", "activation on SO(3), 8 functions of band 10, fwd+bwd: ours / GELU there",
          goal=None, setup=act_state, run=act_step, reference=bare_step),
    Value("sphere_transforms/so3_growth", "exponent in L of SO3Analysis, L = 16 to 48, batch 4", goal=4.2,
          compute=growth(4)),
)  # fmt: skip
