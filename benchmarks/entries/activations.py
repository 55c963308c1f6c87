"""Nonlinearities, norms and pools, forward and backward, against their plain twins on the same tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.blocks import compiled as compile_net
from benchmarks.blocks import forward_backward, images
from benchmarks.harness import Entry, Timed, Value
from benchmarks.timing import Thunk

BATCH, SIDE = 8, 32
SHAPE = f"{BATCH}x112x{SIDE}x{SIDE}, fwd+bwd"


def spectral(st: Any) -> Any:
    """16 fields of the band-limited regular representation of SO(2), L = 3: 112 channels."""
    return 16 * st.SO2().spectral_regular(3)


def regular(st: Any) -> Any:
    """16 regular fields of C(8): 128 channels."""
    return 16 * st.C(8).regular


def _ours(make: Callable[[Any], nn.Module], channels: int, *, compiled: bool = False) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        import steerable as st

        layer = compile_net(make(st)) if compiled else make(st)
        return forward_backward(layer, images(BATCH, channels, SIDE))

    return run


def _plain(make: Callable[[], nn.Module], channels: int, *, compiled: bool = False) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        layer = compile_net(make()) if compiled else make()
        return forward_backward(layer, images(BATCH, channels, SIDE))

    return run


def _norm_act(st: Any) -> nn.Module:
    return st.nn.NormAct(spectral(st))


def _fourier(st: Any) -> nn.Module:
    return st.nn.FourierAct(spectral(st), samples=16)


def _conv(channels: int) -> Callable[[], nn.Module]:
    return lambda: nn.Conv2d(channels, channels, 3, padding=1)


def saved_over_input(layer: nn.Module, x: Tensor) -> float:
    """Bytes that autograd keeps for the backward over the bytes of the input, each storage counted once."""
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        layer(x.clone().requires_grad_())
    return sum(kept.values()) / x.untyped_storage().nbytes()


def _saved(make: Callable[[Any], nn.Module]) -> Callable[[], float]:
    def compute() -> float:
        import steerable as st

        return saved_over_input(make(st), images(BATCH, 112, SIDE))

    return compute


def _versus(
    name: str, title: str, make: Callable[[Any], nn.Module], goals: dict[str, float | None], peer: str
) -> list[Entry]:
    twins: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "conv3": _conv(112)}
    titles = {"relu": "ReLU", "silu": "SiLU", "conv3": "Conv2d k3 of the same channels"}
    return [
        Timed(
            f"activations/{name}_{twin}",
            f"{title} / {titles[twin]}, {SHAPE}",
            goal=goal,
            peer=f"{peer}_{twin}",
            setup=lambda: None,
            run=_ours(make, 112),
            reference=_plain(twins[twin], 112),
        )
        for twin, goal in goals.items()
    ]


def _compiled(
    name: str, title: str, goal: float | None, *, both: bool, notes: str = "fullgraph; the peer cannot be compiled"
) -> Entry:
    return Timed(
        f"activations/{name}",
        title,
        goal=goal,
        setup=lambda: None,
        run=_ours(_norm_act, 112, compiled=True),
        reference=_plain(nn.ReLU, 112, compiled=both),
        notes=notes,
    )


ENTRIES: tuple[Entry, ...] = (
    *_versus("norm", "NormAct SO(2) L=3", _norm_act, {"relu": 8.0, "silu": None, "conv3": None}, "norm"),
    _compiled("norm_compiled_relu", "NormAct SO(2) L=3 compiled / ReLU eager, fwd+bwd", 3.0, both=False),
    _compiled(
        "norm_compiled_both",
        "NormAct SO(2) L=3 compiled / ReLU compiled, fwd+bwd",
        None,
        both=True,
        notes="no goal: a compiled ReLU stores a mask of booleans value by value, which makes it slower than ours",
    ),
    *_versus("fourier", "FourierAct SO(2) L=3 N=16", _fourier, {"relu": 8.0, "silu": None, "conv3": None}, "fourier"),
    Value(
        "activations/norm_saved",
        "NormAct: bytes kept for backward / bytes of the input",
        goal=1.01,
        compute=_saved(_norm_act),
        notes="the hundredth is for the bias, the matrices of the transform",
    ),
    Value(
        "activations/fourier_saved",
        "FourierAct: bytes kept for backward / bytes of the input",
        goal=1.01,
        compute=_saved(_fourier),
    ),
    Timed(
        "activations/relu",
        "ReLU on C8 regular fields / nn.ReLU, 8x128x32x32, fwd+bwd",
        goal=1.1,
        peer="relu",
        setup=lambda: None,
        run=_ours(lambda st: st.nn.ReLU(regular(st)), 128),
        reference=_plain(nn.ReLU, 128),
    ),
    Timed(
        "activations/batch_norm",
        "BatchNorm over C8 regular fields / BatchNorm2d, 8x128x32x32, fwd+bwd",
        goal=1.05,
        peer="batch_norm",
        setup=lambda: None,
        run=_ours(lambda st: st.nn.BatchNorm(regular(st)), 128),
        reference=_plain(lambda: nn.BatchNorm2d(128), 128),
    ),
    Timed(
        "activations/group_pool",
        "GroupPool (max) over C8 / max_pool2d 2x2, 8x128x32x32, fwd+bwd",
        goal=0.5,
        peer="group_pool",
        setup=lambda: None,
        run=_ours(lambda st: st.nn.GroupPool(regular(st)), 128),
        reference=_plain(lambda: nn.MaxPool2d(2), 128),
    ),
)
