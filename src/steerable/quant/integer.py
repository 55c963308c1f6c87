"""The integer network: steps in order, exact, and the same file for everybody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from steerable.quant.moves import Cat, Gather, IntMax, IntMaxPool, Mask, Pad, Reshape
from steerable.quant.requant import Dequantise, IntAdd, IntMean, Quantise, Rescale, Table
from steerable.quant.step import Step
from steerable.quant.sums import IntConv, IntHead

FORMAT = "steerable-int8-1"
STEPS: dict[str, type[Step]] = {
    c.__name__: c
    for c in (
        Quantise, Dequantise, IntConv, IntHead, IntAdd, Rescale, IntMean, IntMax, IntMaxPool, Table, Reshape, Gather,
        Pad, Mask, Cat,
    )
}  # fmt: skip


class QuantizedModel(nn.Module):
    """A network of integer weights and integer activations; numbers enter at the first step and leave at the last.

    Args:
        rows: name, step and names of inputs, in order; the first takes ``"image"``.
        shape: ``(C, H, W)`` of an image.

    Turning an image by a symmetry of the lattice that the network has turns every map of integers, and leaves the
    integer logits the same to the last bit.
    """

    def __init__(self, rows: Sequence[tuple[str, Step, Sequence[str]]], shape: Sequence[int]) -> None:
        super().__init__()
        self.names = [name for name, _, _ in rows]
        self.sources = [tuple(inputs) for _, _, inputs in rows]
        self.steps = nn.ModuleList([step for _, step, _ in rows])
        self.shape = tuple(int(n) for n in shape)
        self.requires_grad_(False)

    def _values(self, x: Tensor) -> dict[str, Tensor]:
        if x.dim() != 4 or tuple(x.shape[1:]) != self.shape:
            raise ValueError(
                f"QuantizedModel: got images of shape {tuple(x.shape)}; expected [B, {', '.join(map(str, self.shape))}]"
                f", the size it was quantised for. Resize the images, or quantise for theirs"
            )
        values = {"image": x}
        for name, step, sources in zip(self.names, self.steps, self.sources, strict=True):
            if not isinstance(step, Dequantise):
                values[name] = step(*(values[s] for s in sources))
        return values

    @torch.no_grad()
    def maps(self, x: Tensor) -> dict[str, Tensor]:
        """The integers of every step by name, for images ``[B, C, H, W]``."""
        values = self._values(x)
        return {name: values[name] for name in self.names if name in values}

    @torch.no_grad()
    def integers(self, x: Tensor) -> Tensor:
        """Integer logits ``[B, classes]``: sums ``int64`` of a last linear map, else ``uint8``."""
        last = self.steps[-1]
        return self._values(x)[self.sources[-1][0] if isinstance(last, Dequantise) else self.names[-1]]

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Float32 logits ``[B, classes]``: the integer ones times fixed steps."""
        q, last = self.integers(x), self.steps[-1]
        return last.logits(q) if isinstance(last, IntHead) else last(q)

    def count_convolutions(self) -> int:
        """Number of convolutions and linear maps with int8 weights."""
        return sum(isinstance(s, IntConv | IntHead) for s in self.steps)

    def config(self) -> dict[str, object]:
        """Everything but the tensors, ready for JSON."""
        kinds = [type(s).__name__ for s in self.steps]
        fixed = [s.config() for s in self.steps]  # type: ignore[operator]
        rows = [list(r) for r in zip(self.names, kinds, self.sources, fixed, strict=True)]
        return {"format": FORMAT, "shape": list(self.shape), "steps": rows}


def save(model: QuantizedModel, path: str | Path) -> None:
    """Write an integer network: its description as JSON text and its integers, a file of tensors only."""
    torch.save({"config": json.dumps(model.config()), "tensors": model.state_dict()}, Path(path))


def load(path: str | Path) -> QuantizedModel:
    """Read what :func:`save` wrote. Raises ``ValueError`` for another file."""
    try:
        held = torch.load(Path(path), map_location="cpu", weights_only=True)
        config, tensors = json.loads(held["config"]), held["tensors"]
    except FileNotFoundError:
        raise
    except Exception as problem:
        raise ValueError(
            f"{path}: no quantised model ({type(problem).__name__}); expected a file of quant.save"
        ) from None
    if config.get("format") != FORMAT:
        raise ValueError(f"{path}: format {config.get('format')!r}; expected {FORMAT!r}. Quantise the model again")
    rows = []
    for i, (name, kind, sources, fixed) in enumerate(config["steps"]):
        if kind not in STEPS:
            raise ValueError(f"{path}: unknown step {kind!r}; expected one of {', '.join(STEPS)}. Use a newer version")
        own = {k.split(".", 2)[2]: t for k, t in tensors.items() if k.startswith(f"steps.{i}.")}
        rows.append((name, STEPS[kind](**own, **fixed), sources))
    return QuantizedModel(rows, config["shape"])
