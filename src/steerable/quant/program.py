"""A network as named units in order: run on numbers, watched, and lowered to integers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from steerable.quant.affine import Affine
from steerable.quant.capture import capture
from steerable.quant.linear_unit import LinearUnit
from steerable.quant.read import read_graph
from steerable.quant.requant import Dequantise, Quantise
from steerable.quant.step import Step
from steerable.quant.sums import IntHead
from steerable.quant.units import Join, Unit, rescale

#: what is done to every value on its way: name and value to value
Hook = Callable[[str, Tensor], Tensor]


class Program(nn.Module):
    """Units of a model, in order; its parameters are those of the copy that it holds.

    Args:
        model: any model of one image batch, equivariant or baked.
        example: ``[B, C, H, W]``; the sides are fixed from here on.

    Raises:
        TypeError: naming the first layer without an integer form.
    """

    def __init__(self, model: nn.Module, example: Tensor) -> None:
        super().__init__()
        rows, self.result = read_graph(capture(model, example))
        self.units = nn.ModuleDict({row.name: row.unit for row in rows})
        self.inputs = {row.name: row.inputs for row in rows}
        self.shape = tuple(example.shape[1:])
        last = dict(self.units.items()).get(self.result)
        uses = sum(name == self.result for inputs in self.inputs.values() for name in inputs)
        if isinstance(last, LinearUnit) and last.geometry is None and not uses and last.low == -float("inf"):
            last.last = True

    def run(self, x: Tensor, hook: Hook) -> Tensor:
        """Float result of ``x [B, C, H, W]``; `hook` sees the input and every result and may replace it."""
        values = {"input": hook("input", x)}
        for name, unit in self.units.items():
            values[name] = hook(name, unit(*(values[n] for n in self.inputs[name])))
        return values[self.result]

    def linear_units(self) -> list[LinearUnit]:
        """The units with weights, those of fixed windows included."""
        return [u for u in self.units.values() if isinstance(u, LinearUnit)]

    def affines(self, ranges: dict[str, tuple[float, float]]) -> dict[str, Affine]:
        """Steps of every value: from its range, or those of its input where the integers mean the same."""
        found = {"input": Affine.of_range(*ranges["input"])}
        for name, unit in self.units.items():
            if self.is_sums(name):
                continue
            keeps = getattr(unit, "keeps", False)
            found[name] = found[self.inputs[name][0]] if keeps else Affine.of_range(*ranges[name])
        return found

    def is_sums(self, name: str) -> bool:
        """Whether a value stays a sum of products: the logits of a last linear map."""
        unit = dict(self.units.items()).get(name)
        return isinstance(unit, LinearUnit) and unit.last

    @torch.no_grad()
    def lower(self, ranges: dict[str, tuple[float, float]]) -> list[tuple[str, Step, tuple[str, ...]]]:
        """Integer steps with the names of results and inputs. Weights are computed in float64."""
        exact = copy.deepcopy(self).double().cpu()
        affines = self.affines(ranges)
        start = affines["input"]
        rows: list[tuple[str, Step, tuple[str, ...]]] = [
            ("input", Quantise(start.scale, start.zero), ("image",)),
        ]
        for name, unit in exact.units.items():
            given = [affines[n] for n in self.inputs[name]]
            out = affines.get(name, given[0])
            sources = self.inputs[name]
            if isinstance(unit, Join):
                moved = []
                for k, (source, a) in enumerate(zip(sources, given, strict=True)):
                    if a != out:
                        rows.append((f"{name}.in{k}", rescale(a, out), (source,)))
                    moved.append(source if a == out else f"{name}.in{k}")
                sources = tuple(moved)
            steps = cast(Unit, unit).lower(given, out)
            for k, step in enumerate(steps):
                label = name if k == len(steps) - 1 else f"{name}.{k}"
                rows.append((label, step, sources))
                sources = (label,)
        if not isinstance(rows[-1][1], IntHead):
            a = affines[self.result]
            rows.append(("numbers", Dequantise(a.scale, a.zero), (self.result,)))
        return rows
