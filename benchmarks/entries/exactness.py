"""Numbers without noise: the error under rotations of the lattice, the size of what is saved."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.blocks import SEED, images, steerable_block
from benchmarks.harness import Entry, Value


def _group(name: str) -> Any:
    import steerable as st

    return {"C4": lambda: st.C(4), "C8": lambda: st.C(8), "D4": lambda: st.D(4), "SO2": lambda: st.SO2()}[name]()


def _quarter(name: str, group: Any) -> Any:
    """The element of the group that is a rotation by +90 degrees."""
    if name == "SO2":
        return torch.tensor(torch.pi / 2, dtype=torch.float64)
    return torch.tensor({"C4": 1, "C8": 2, "D4": 1}[name])


def _turn(x: Tensor, matrix: Tensor) -> Tensor:
    """[g f](x) = rho(g) f(g^-1 x) for the rotation by +90 degrees; ``matrix`` is rho(g), [C, C]."""
    return torch.einsum("ij,bjhw->bihw", matrix, torch.rot90(x, 1, (-2, -1)))


def lattice_error(net: nn.Module, in_type: Any, out_type: Any, element: Any, x: Tensor) -> float:
    """Relative L2 distance between turning before and after ``net`` (float64, quarter turn)."""
    with torch.no_grad():
        after = _turn(net(x), out_type.matrix(element))
        before = net(_turn(x, in_type.matrix(element)))
    return float((after - before).norm() / after.norm())


def _conv_error(name: str) -> float:
    import steerable as st

    torch.manual_seed(SEED)
    group = _group(name)
    t = 8 * (group.spectral_regular(3) if name == "SO2" else group.regular)
    conv = st.nn.Conv2d(t, t, kernel_size=5, padding=2).double()
    return lattice_error(conv, t, t, _quarter(name, group), images(2, t.size, 33, torch.float64))


def _block_error() -> float:
    torch.manual_seed(SEED)
    group = _group("C8")
    t = 8 * group.regular
    block = steerable_block(8, kernel_size=5).double()
    return lattice_error(block, t, t, _quarter("C8", group), images(2, t.size, 33, torch.float64))


def saved_over_parameters(net: nn.Module) -> float:
    """Bytes of the state dict over bytes of the parameters."""

    def total(tensors: Any) -> int:
        return sum(t.numel() * t.element_size() for t in tensors)

    return total(net.state_dict().values()) / total(net.parameters())


def _saved_layer(evaluate: bool) -> float:
    import steerable as st

    t = 16 * st.C(8).regular
    return saved_over_parameters(st.nn.Conv2d(t, t, kernel_size=5, padding=2).train(not evaluate))


ENTRIES: tuple[Entry, ...] = (
    *(
        Value(
            f"exactness/conv_{name.lower()}",
            f"lattice rotation by 90 degrees, {name} conv k5, float64, relative",
            goal=1e-12,
            peer="lattice_c4" if name == "C4" else None,
            compute=lambda name=name: _conv_error(name),
        )
        for name in ("C4", "C8", "D4", "SO2")
    ),
    Value("exactness/block_c8", "the same, residual block C8 k5 in training mode", goal=1e-12, compute=_block_error),
    Value(
        "exactness/state_dict_train",
        "state dict / parameters, bytes, C8 16 fields k5, training mode",
        goal=1.1,
        peer="state_dict_train",
        compute=lambda: _saved_layer(evaluate=False),
    ),
    Value(
        "exactness/state_dict_eval",
        "state dict / parameters, bytes, C8 16 fields k5, eval mode",
        goal=1.1,
        peer="state_dict_eval",
        compute=lambda: _saved_layer(evaluate=True),
    ),
    Value(
        "exactness/state_dict_block",
        "state dict / parameters, bytes, residual block C8 8 fields",
        goal=1.1,
        compute=lambda: saved_over_parameters(steerable_block(8)),
        notes="running statistics of batch norm included",
    ),
)
