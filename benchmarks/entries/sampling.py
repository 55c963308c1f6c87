"""Nonlinearities on fields of SO(3) against their plain twins; maps between icosahedral fields against dense ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.blocks import SEED, forward_backward, forward_only, images
from benchmarks.harness import Entry, Timed, Value
from benchmarks.timing import Thunk

BATCH, SIDE, FIELDS = 8, 32, 4
ROWS, ICOSAHEDRAL_FIELDS = 256, 32


def spectral(st: Any) -> Any:
    """Fields of the band-limited regular representation of SO(3), L = 2: 35 channels each."""
    return FIELDS * st.SO3().spectral_regular(2)


def icosahedral(st: Any) -> Any:
    """The 60 rotations of the icosahedron, from a turn by a third and one by a fifth."""
    golden = (1 + np.sqrt(5)) / 2
    third = np.eye(3)[[1, 2, 0]]
    fifth = 0.5 * np.array([[golden, 1 / golden, 1], [1 / golden, 1, -golden], [-1, golden, 1 / golden]])
    q, _ = np.linalg.qr(fifth)
    q = q * np.sign(np.diag(q.T @ fifth))
    return st.FiniteGroup.from_matrices([third, q], name="I")


def _ours(make: Callable[[Any], nn.Module]) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        import steerable as st

        layer = make(st)
        return forward_backward(layer, images(BATCH, spectral(st).size, SIDE))

    return run


def _plain(make: Callable[[], nn.Module]) -> Callable[[Any], Thunk]:
    return lambda _: forward_backward(make(), images(BATCH, 35 * FIELDS, SIDE))


def _versus(name: str, title: str, make: Callable[[Any], nn.Module], goal: float | None) -> list[Entry]:
    twins: dict[str, tuple[str, Callable[[], nn.Module]]] = {
        "relu": ("ReLU", nn.ReLU),
        "silu": ("SiLU", nn.SiLU),
        "conv3": ("Conv2d k3 of the same channels", lambda: nn.Conv2d(35 * FIELDS, 35 * FIELDS, 3, padding=1)),
    }
    return [
        Timed(
            f"sampling/{name}_{twin}",
            f"{title} / {words}, {BATCH}x{35 * FIELDS}x{SIDE}x{SIDE}, fwd+bwd",
            goal=goal if twin == "relu" else None,
            setup=lambda: None,
            run=_ours(make),
            reference=_plain(plain),
        )
        for twin, (words, plain) in twins.items()
    ]


def _linear(backward: bool) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        import steerable as st

        torch.manual_seed(SEED)
        t = (ICOSAHEDRAL_FIELDS * icosahedral(st).regular).fourier
        layer = st.nn.Linear(t, t, bias=False)
        x = torch.randn(ROWS, t.size, generator=torch.Generator().manual_seed(SEED))
        return (forward_backward if backward else forward_only)(layer, x)

    return run


def _dense(backward: bool) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        torch.manual_seed(SEED)
        channels = 60 * ICOSAHEDRAL_FIELDS
        layer = nn.Linear(channels, channels, bias=False)
        x = torch.randn(ROWS, channels, generator=torch.Generator().manual_seed(SEED))
        return (forward_backward if backward else forward_only)(layer, x)

    return run


def _adaptive_error() -> float:
    import steerable as st

    t = spectral(st)
    torch.manual_seed(SEED)
    layer = st.nn.FourierAct(t, "elu", samples=70, grid="adaptive").double()
    x = torch.randn(16, t.size, generator=torch.Generator().manual_seed(SEED), dtype=torch.float64)
    return float(st.laws.equivariance_error(layer, x).max())


ENTRIES: tuple[Entry, ...] = (
    *_versus("norm", "NormAct SO(3) l<=2", lambda st: st.nn.NormAct(spectral(st)), 8.0),
    *_versus("fourier", "FourierAct SO(3) l<=2, N=96", lambda st: st.nn.FourierAct(spectral(st), samples=96), 10.0),
    *_versus(
        "adaptive",
        "FourierAct SO(3) l<=2, N=96, adaptive",
        lambda st: st.nn.FourierAct(spectral(st), samples=96, grid="adaptive"),
        None,
    ),
    Value(
        "sampling/adaptive_error",
        "FourierAct SO(3) l<=2, N=70, adaptive: equivariance error, float64",
        goal=1e-10,
        compute=_adaptive_error,
    ),
    Timed(
        "sampling/icosahedral_fwd",
        f"Linear between icosahedral regular fields, Fourier basis / dense, {ROWS} rows, forward",
        goal=0.12,
        setup=lambda: None,
        run=_linear(False),
        reference=_dense(False),
    ),
    Timed(
        "sampling/icosahedral_fwd_bwd",
        f"Linear between icosahedral regular fields, Fourier basis / dense, {ROWS} rows, fwd+bwd",
        goal=None,
        setup=lambda: None,
        run=_linear(True),
        reference=_dense(True),
    ),
)
