"""Baked equivariant MobileNetV2 against the plain one of equal channels: blocks, whole networks, int8."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.blocks import SEED, forward_only, images
from benchmarks.harness import Entry, Timed
from benchmarks.timing import Thunk

GOAL = 0.7
CHANNELS, HIDDEN = 128, 768
CHUNK = 2**20
NOTE = "batch 1; both baked: batch norms folded, ReLU6 in place"


def group_of(label: str) -> Any:
    """C(8) for "c8", D(8) for "d8"."""
    import steerable as st

    return {"c8": st.C, "d8": st.D}[label](8)


def _block(label: str) -> nn.Module:
    """The baked block 128-768-128, without the change of basis at its ends, which a chain of blocks has once."""
    import steerable as st
    from steerable.models.inverted_residual import InvertedResidual

    torch.manual_seed(SEED)
    group = group_of(label)
    outer, inner = CHANNELS // group.order * group.regular, HIDDEN // group.order * group.regular
    baked = st.bake(InvertedResidual(outer, inner, outer).eval())
    return baked[1]  # type: ignore[index]


def _plain_block() -> nn.Module:
    import steerable as st
    from steerable.models.plain_mobilenet import PlainInvertedResidual

    torch.manual_seed(SEED)
    return st.bake(PlainInvertedResidual(CHANNELS, HIDDEN, CHANNELS).eval())


class Chunked(nn.Module):
    """The plain block computed as ours is, a few channels at a time: what symmetry alone saves."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.expand, _, self.middle, _, self.project = block.body  # type: ignore[misc]

    def forward(self, x: Tensor) -> Tensor:
        """[1, C, H, W] to the same."""
        a, b, c = self.expand, self.middle, self.project
        _, channels, height, width = x.shape
        step = max(1, min(HIDDEN, CHUNK // (height * width * 4)))
        out = (x + c.bias[:, None, None]).view(channels, -1)
        for i in range(0, HIDDEN, step):
            j = min(HIDDEN, i + step)
            y = F.hardtanh_(F.conv2d(x, a.weight[i:j], a.bias[i:j]), 0.0, 6.0)
            y = F.hardtanh_(F.conv2d(y, b.weight[i:j], b.bias[i:j], padding=1, groups=j - i), 0.0, 6.0)
            out.addmm_(c.weight[:, i:j, 0, 0], y.view(j - i, -1))
        return out.view(x.shape)


class ChannelsLast(nn.Module):
    """The plain block with weights and maps in channels_last."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """[1, C, H, W] to the same; one small map is rearranged."""
        return self.block(x.contiguous(memory_format=torch.channels_last))


def _network(label: str, plain: bool, width: float) -> nn.Module:
    import steerable as st

    torch.manual_seed(SEED)
    name = "mobilenet_v2_plain" if plain else "mobilenet_v2"
    return st.bake(st.create_model(name, group=group_of(label), width=width).eval())


def _timed(build: Callable[[], nn.Module], channels: int, side: int) -> Callable[[Any], Thunk]:
    return lambda _: forward_only(build(), images(1, channels, side))


def _onnx(label: str, side: int, integer: bool) -> Callable[[Any], Thunk]:
    """One image through ONNX Runtime on one thread."""

    def run(_: Any) -> Thunk:
        import onnxruntime

        import steerable as st
        from steerable.quant import export_onnx_int8, quantize

        torch.manual_seed(SEED)
        x = images(1, 3, side)
        model = st.create_model("mobilenet_v2", group=group_of(label)).eval()
        folder = tempfile.TemporaryDirectory()
        path = Path(folder.name) / "model.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if integer:
                export_onnx_int8(quantize(model, images(8, 3, side)), x, path)
            else:
                from steerable.quant.capture import simplify

                torch.onnx.export(simplify(st.bake(model)), (x,), dynamo=True, verbose=False).save(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: x.numpy()}
        return lambda: session.run(None, feed)

    return run


def _compare(name: str, figure: str, run: Any, reference: Any, side: int, channels: int, notes: str = NOTE) -> Entry:
    return Timed(
        f"mobile/{name}",
        figure,
        goal=GOAL,
        setup=lambda: None,
        run=_timed(run, channels, side),
        reference=_timed(reference, channels, side),
        notes=notes,
    )


def _blocks(label: str) -> list[Entry]:
    group, words = label.upper(), f"inverted residual {CHANNELS}-{HIDDEN}-{CHANNELS}"
    ours = lambda: _block(label)  # noqa: E731
    found = [
        _compare(f"block_{label}_{n}", f"{words}, {group} / plain, {n}x{n}", ours, _plain_block, n, CHANNELS)
        for n in (32, 14)
    ]
    chunks = "the plain block gets our order of computation too, which no framework gives it by itself"
    last = "the plain block in channels_last, its best layout here"
    return [
        *found,
        _compare(
            f"block_{label}_32_same_chunks",
            f"{words}, {group} / plain in chunks of channels as ours, 32x32",
            ours,
            lambda: Chunked(_plain_block()),
            32,
            CHANNELS,
            chunks,
        ),
        _compare(
            f"block_{label}_32_channels_last",
            f"{words}, {group} / plain, channels_last, 32x32",
            ours,
            lambda: ChannelsLast(_plain_block()),
            32,
            CHANNELS,
            last,
        ),
    ]


def _networks(label: str) -> list[Entry]:
    return [
        _compare(
            f"network_{label}_{side}" + (f"_w{width:g}" if width != 1 else ""),
            f"MobileNetV2, width {width:g}, {label.upper()} / plain of equal channels, {side}x{side}",
            lambda width=width: _network(label, False, width),
            lambda width=width: _network(label, True, width),
            side,
            3,
        )
        for side, width in ((97, 1.0), (225, 1.0), (225, 2.0))
    ]


INT8 = Timed(
    "mobile/int8_onnx_c8_97",
    "ONNX Runtime, MobileNetV2 C8: int8 / float32, 97x97",
    goal=None,
    setup=lambda: None,
    run=_onnx("c8", 97, True),
    reference=_onnx("c8", 97, False),
    notes="one thread, batch 1; the float file holds ordinary 1x1 convolutions",
)
ENTRIES = (*(entry for label in ("c8", "d8") for entry in (*_blocks(label), *_networks(label))), INT8)
