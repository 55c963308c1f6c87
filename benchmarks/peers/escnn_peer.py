"""escnn 1.0.11 under the same measurements: run by the interpreter of ``.venv-peers``, prints one JSON line.

``python -m benchmarks.peers.escnn_peer NAME --budget JSON``. Every figure is escnn against its own plain reference in
one process (or in interleaved new interpreters), so that only ratios of ratios are ever compared with ours.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.blocks import SEED, Residual, forward_backward, forward_only, images, plain_block, training_step
from benchmarks.harness import ALLOCATOR, first_call, measure_fresh
from benchmarks.timing import Budget, Summary, interleave

MARK = "BENCH-JSON "
Measured = Callable[[Budget], Summary]


class Wrapped(nn.Module):
    """An escnn module taking and giving plain tensors: the price of wrapping is escnn's, its users pay it."""

    def __init__(self, module: nn.Module, in_type: Any) -> None:
        super().__init__()
        self.module, self.in_type = module, in_type

    def forward(self, x: Tensor) -> Tensor:
        """Wrap ``x``, apply, unwrap."""
        from escnn.nn import GeometricTensor

        return self.module(GeometricTensor(x, self.in_type)).tensor


def _c8_type(fields: int) -> Any:
    from escnn import gspaces
    from escnn import nn as enn

    act = gspaces.rot2dOnR2(8)
    return enn.FieldType(act, fields * [act.regular_repr])


def _field_type(label: str, fields: int) -> Any:
    from escnn import gspaces
    from escnn import nn as enn

    if label == "c8":
        return _c8_type(fields)
    if label == "d8":
        act = gspaces.flipRot2dOnR2(8)
        return enn.FieldType(act, fields * [act.regular_repr])
    act = gspaces.rot2dOnR2(-1, maximum_frequency=6)
    return enn.FieldType(act, fields * [act.fibergroup.bl_regular_representation(3)])


def block(fields: int, kernel_size: int = 3) -> nn.Module:
    """The residual block of benchmarks.blocks with escnn's layers: GeometricTensors add like tensors."""
    from escnn import nn as enn

    t = _c8_type(fields)

    def conv() -> nn.Module:
        return enn.R2Conv(t, t, kernel_size, padding=kernel_size // 2, bias=False)

    body = enn.SequentialModule(conv(), enn.InnerBatchNorm(t), enn.ReLU(t), conv(), enn.InnerBatchNorm(t))
    return Wrapped(Residual(body, enn.ReLU(t)), t)


def build(label: str, fields: int, channels: int, k: int) -> Measured:
    """Build of one R2Conv against nn.Conv2d."""

    def measured(budget: Budget) -> Summary:
        from escnn import nn as enn

        def plain() -> object:
            return nn.Conv2d(channels, channels, k, padding=k // 2)

        t = _field_type(label, fields)
        return interleave(plain, lambda: enn.R2Conv(t, t, k, padding=k // 2), plain, budget=budget)

    return measured


def cold(label: str, fields: int, channels: int, k: int) -> Measured:
    """The first build in a new interpreter, the group included, the import not."""
    plain = first_call("", "", f"torch.nn.Conv2d({channels}, {channels}, {k}, padding={k // 2})")
    ours = first_call(
        "import warnings; warnings.simplefilter('ignore'); from escnn import nn as enn",
        "from benchmarks.peers.escnn_peer import _field_type",
        f"t = _field_type({label!r}, {fields}); enn.R2Conv(t, t, {k}, padding={k // 2})",
    )
    return fresh(plain, ours)


def step(fields: int, batch: int) -> Measured:
    """Training step of the residual block against the plain block."""

    def measured(budget: Budget) -> Summary:
        torch.manual_seed(SEED)
        x = images(batch, 8 * fields)
        plain = [training_step(plain_block(8 * fields), x) for _ in range(2)]
        return interleave(plain[0], training_step(block(fields), x), plain[1], budget=budget)

    return measured


def activation(make: Callable[[Any], tuple[nn.Module, Any]], twin: Callable[[], nn.Module], channels: int) -> Measured:
    """Forward and backward of one layer on 8 x channels x 32 x 32 against its plain twin."""

    def measured(budget: Budget) -> Summary:
        from escnn import nn as enn

        x = images(8, channels)
        layer, in_type = make(enn)
        plain = [forward_backward(twin(), x) for _ in range(2)]
        return interleave(plain[0], forward_backward(Wrapped(layer, in_type), x), plain[1], budget=budget)

    return measured


def _norm(enn: Any) -> tuple[nn.Module, Any]:
    act = _field_type("so2", 1).gspace
    t = enn.FieldType(act, 16 * [act.irrep(k) for k in range(4)])
    return enn.NormNonLinearity(t, bias=True), t


def _fourier(enn: Any) -> tuple[nn.Module, Any]:
    act = _field_type("so2", 1).gspace
    irreps = act.fibergroup.bl_irreps(3)
    layer = enn.FourierPointwise(act, 16, irreps, type="regular", N=16)
    return layer, layer.in_type


def _regular(layer: str) -> Callable[[Any], tuple[nn.Module, Any]]:
    return lambda enn: (getattr(enn, layer)(_c8_type(16)), _c8_type(16))


def _export_chain(budget: Budget) -> Summary:
    """Exported conv7-norm-ReLU-conv5-norm-ReLU against the plain chain, neither folded: export does not fold."""
    from escnn import gspaces
    from escnn import nn as enn

    torch.manual_seed(SEED)
    act = gspaces.rot2dOnR2(8)
    rgb, deep = enn.FieldType(act, 3 * [act.trivial_repr]), _c8_type(16)
    chain = enn.SequentialModule(
        enn.R2Conv(rgb, deep, 7, padding=3, bias=False),
        enn.InnerBatchNorm(deep),
        enn.ReLU(deep),
        enn.R2Conv(deep, deep, 5, padding=2, bias=False),
        enn.InnerBatchNorm(deep),
        enn.ReLU(deep),
    ).eval()

    def plain() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 128, 7, padding=3, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 128, 5, padding=2, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
        ).eval()

    x = images(4, 3, 33)
    return interleave(
        forward_only(plain(), x), forward_only(chain.export().eval(), x), forward_only(plain(), x), budget=budget
    )


def _wide(kernel_size: int) -> Measured:
    """Build of a WRN-16-4 of C8 regular fields (64/128/256 channels) against the plain one."""

    def measured(budget: Budget) -> Summary:
        from escnn import nn as enn

        from benchmarks.peers.wide import plain_wide, wide

        plain = partial(plain_wide, kernel_size)
        return interleave(plain, partial(wide, enn, _c8_type, kernel_size), plain, budget=budget)

    return measured


_MEMORY_PLAIN = """
import torch
torch.set_num_threads(1)
from benchmarks.memory_probe import resident, two_steps
start = resident()
from benchmarks.blocks import plain_block
two_steps(lambda: plain_block(128))
print(resident("VmHWM") - {base})
"""
_MEMORY_PEER = """
import torch, warnings
warnings.simplefilter("ignore")
torch.set_num_threads(1)
from benchmarks.memory_probe import resident, two_steps
import escnn.nn
start = resident()
from benchmarks.peers.escnn_peer import block
two_steps(lambda: block(16))
print(resident("VmHWM") - {base})
"""


def fresh(
    reference: str, run: str, *, clock_process: bool = False, variables: Mapping[str, str] | None = None
) -> Measured:
    """Two programs in new interpreters of this environment."""
    return lambda budget: measure_fresh(sys.executable, reference, run, None, budget, clock_process, variables or {})


def _lattice_error(budget: Budget) -> Summary:
    """Quarter turn of a C4 convolution, k5, float64: the same tensor and the same turn as our entry."""
    from escnn import gspaces
    from escnn import nn as enn

    torch.manual_seed(SEED)
    act = gspaces.rot2dOnR2(4)
    t = enn.FieldType(act, 8 * [act.regular_repr])
    net = Wrapped(enn.R2Conv(t, t, 5, padding=2).double(), t)
    matrix = torch.tensor(t.representation(act.fibergroup.element(1)), dtype=torch.float64)

    def turn(x: Tensor) -> Tensor:
        return torch.einsum("ij,bjhw->bihw", matrix, torch.rot90(x, 1, (-2, -1)))

    x = images(2, t.size, 33, torch.float64)
    with torch.no_grad():
        after = turn(net(x))
        return Summary.exact(float((after - net(turn(x))).norm() / after.norm()))


def _state_dict(evaluate: bool) -> Measured:
    def measured(_: Budget) -> Summary:
        from escnn import nn as enn

        t = _c8_type(16)
        conv = enn.R2Conv(t, t, 5, padding=2).train(not evaluate)
        sizes = [
            sum(x.numel() * x.element_size() for x in xs) for xs in (conv.state_dict().values(), conv.parameters())
        ]
        return Summary.exact(sizes[0] / sizes[1])

    return measured


def _peers() -> dict[str, Measured]:
    layers = [
        ("c8", 16, 128, (3, 5, 7)),
        ("c8", 32, 256, (5,)),
        ("c8", 64, 512, (5,)),
        ("d8", 8, 128, (3, 5)),
        ("d8", 16, 256, (3, 5, 7)),
        ("d8", 32, 512, (5,)),
        ("so2", 16, 112, (3, 5, 7)),
        ("so2", 32, 224, (5,)),
        ("so2", 64, 448, (5,)),
    ]
    found: dict[str, Measured] = {}
    for label, fields, channels, sizes in layers:
        for k in sizes:
            found[f"build_{label}_{fields}f_k{k}"] = build(label, fields, channels, k)
            found[f"cold_{label}_{fields}f_k{k}"] = cold(label, fields, channels, k)
    for fields in (8, 16):
        for batch in (1, 16):
            found[f"step_c8_{fields}f_b{batch}"] = step(fields, batch)
    twins: dict[str, Callable[[], nn.Module]] = {
        "relu": nn.ReLU,
        "silu": nn.SiLU,
        "conv3": lambda: nn.Conv2d(112, 112, 3, padding=1),
    }
    for name, twin in twins.items():
        found[f"norm_{name}"] = activation(_norm, twin, 112)
        found[f"fourier_{name}"] = activation(_fourier, twin, 112)
    return {
        **found,
        "relu": activation(_regular("ReLU"), nn.ReLU, 128),
        "batch_norm": activation(_regular("InnerBatchNorm"), lambda: nn.BatchNorm2d(128), 128),
        "group_pool": activation(_regular("GroupPooling"), lambda: nn.MaxPool2d(2), 128),
        "exported_chain_c8_16f_b4": _export_chain,
        "build_wrn16_4_k3": _wide(3),
        "build_wrn16_4_k5": _wide(5),
        "import": fresh("import torch", "import escnn.nn", clock_process=True),
        "memory_total": fresh(_MEMORY_PLAIN.format(base="0"), _MEMORY_PEER.format(base="0"), variables=ALLOCATOR),
        "memory_growth": fresh(
            _MEMORY_PLAIN.format(base="start"), _MEMORY_PEER.format(base="start"), variables=ALLOCATOR
        ),
        "lattice_c4": _lattice_error,
        "state_dict_train": _state_dict(evaluate=False),
        "state_dict_eval": _state_dict(evaluate=True),
    }


PEERS = _peers()


def main() -> None:
    """Measure one figure and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.escnn_peer", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("name", choices=sorted(PEERS))
    parser.add_argument("--budget", default="{}", help="fields of benchmarks.timing.Budget, as JSON")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    print(MARK + json.dumps(PEERS[options.name](Budget(**json.loads(options.budget))).as_dict()))


if __name__ == "__main__":
    main()
