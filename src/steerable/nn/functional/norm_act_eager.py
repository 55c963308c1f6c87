"""Norm activations in tiles that stay in the cache: the arithmetic of the eager first-order path.

Pure functions without a graph; `norm_act.py` holds the definition that they must equal. All views are cut before the
loop: at these sizes the calls that make views would cost as much as the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from steerable.aggregate.paths import accumulation_dtype
from steerable.nn.functional.layout import Layout, Run, blocks, runs
from steerable.nn.functional.norm_functions import norm_function
from steerable.nn.functional.tiles import Planes, Scratch, Tiling


class _Fields(NamedTuple):
    """A tile of fields by runs.

    Attributes:
        parts: ``[b, m, count, dim, p]`` per run.
        components: for each run its ``dim`` slices ``[b, m, count, p]``.
        place: where the tile belongs, if the others are views of a buffer.
        buffer: that buffer.
    """

    parts: tuple[Tensor, ...]
    components: tuple[tuple[Tensor, ...], ...]
    place: Tensor | None = None
    buffer: Tensor | None = None

    def store(self) -> None:
        """Bring results that were written to a buffer to their place."""
        if self.place is not None and self.buffer is not None:
            self.place.copy_(self.buffer)


def _tiles(
    fields: Tensor, all_runs: tuple[Run, ...], tiling: Tiling, work: Scratch, name: str, load: bool = True
) -> Iterator[_Fields]:
    """The tiles of ``fields: [B, m, D, P]``; each holds until the next one is asked for."""
    if work.takes(fields):
        wholes = [run.split(fields) for run in all_runs]
        parts = zip(*(tiling.cut(whole) for whole in wholes), strict=True)
        components = zip(*(zip(*map(tiling.cut, whole.unbind(3)), strict=True) for whole in wholes), strict=True)
        yield from map(_Fields, parts, components)
        return
    for tile in tiling.cut(fields):
        buffer = work.buffer(name, tile.shape)
        if load:
            buffer.copy_(tile)
        parts = tuple(run.split(buffer) for run in all_runs)
        yield _Fields(parts, tuple(part.unbind(3) for part in parts), tile, buffer)


class _Norms:
    """A buffer ``[b, m, K, p]``, one value per irrep; its slices by run; these spread over the components."""

    def __init__(self, buffer: Tensor, all_runs: tuple[Run, ...]) -> None:
        self.all = buffer
        self.by_run = [buffer[:, :, run.first : run.last] for run in all_runs]
        self.spread = [part.unsqueeze(3) for part in self.by_run]


class _Workspace:
    """The buffers of norms of one block, made again only when the shape of the tiles changes."""

    def __init__(self, work: Scratch, all_runs: tuple[Run, ...], names: tuple[str, ...]) -> None:
        self.work, self.runs, self.names = work, all_runs, names
        self.shape: torch.Size | None = None
        self.norms: list[_Norms] = []

    def __call__(self, shape: torch.Size) -> list[_Norms]:
        """One `_Norms` per name, for tiles of norms of this shape."""
        if shape != self.shape:
            self.shape = shape
            self.norms = [_Norms(self.work.buffer(name, shape), self.runs) for name in self.names]
        return self.norms


def _inner(left: _Fields, right: _Fields, out: _Norms, start: Tensor | None = None) -> None:
    """``out = start + <left, right>``, irrep by irrep, one component at a time: no product is ever kept."""
    for a, b, o in zip(left.components, right.components, out.by_run, strict=True):
        if start is None:
            torch.mul(a[0], b[0], out=o)
        else:
            torch.addcmul(start, a[0], b[0], out=o)
        for i in range(1, len(a)):
            o.addcmul_(a[i], b[i])


def _per_point(values: Tensor, fields: Tensor) -> Tensor:
    """``[m, K] -> [B, m, K, P]``, a view that repeats them for all points of ``fields: [B, m, D, P]``."""
    return values[None, :, :, None].expand(fields.shape[0], -1, -1, fields.shape[3])


def norm_act_forward(x: Tensor, bias: Tensor, layout: Layout, function: str, eps: float) -> Tensor:
    """The activation of ``x: [B, C, *S]`` with ``bias: [norms]``; equals `plain_norm_act`."""
    planes, work = Planes(x), Scratch(accumulation_dtype(x), x.device)
    out = planes.empty_like(x)
    source, target, bias = planes(x), planes(out), bias.to(work.dtype)
    start = torch.tensor(eps, dtype=work.dtype, device=x.device)
    for block in blocks(layout):
        fields, results, all_runs = block.fields(source), block.fields(target), runs(block.dims)
        tiling, space = Tiling.of(fields.shape, planes.rows, x.device), _Workspace(work, all_runs, ("u",))
        biases = tiling.cut(_per_point(block.bias(bias), fields))
        vectors = _tiles(fields, all_runs, tiling, work, "v")
        targets = _tiles(results, all_runs, tiling, work, "out", load=False)
        for v, b, o in zip(vectors, biases, targets, strict=True):
            (u,) = space(b.shape)
            _inner(v, v, u, start)
            if function == "relu":
                u.all.rsqrt_().mul_(b).clamp_min_(-1)
                for part, c, into in zip(v.parts, u.spread, o.parts, strict=True):
                    torch.addcmul(part, part, c, out=into)
            else:
                u.all.copy_(norm_function(function).gate(u.all, b))
                for part, c, into in zip(v.parts, u.spread, o.parts, strict=True):
                    torch.mul(part, c, out=into)
            o.store()
    return out


def norm_act_backward(
    x: Tensor, bias: Tensor, grad: Tensor, layout: Layout, function: str, eps: float
) -> tuple[Tensor, Tensor]:
    """Gradients of ``x: [B, C, *S]`` and ``bias: [norms]`` from ``grad: [B, C, *S]``; equals `formula_backward`."""
    planes, work = Planes(x), Scratch(accumulation_dtype(x), x.device)
    out = planes.empty_like(x)
    source, incoming, target, full = planes(x), planes(grad), planes(out), bias.to(work.dtype)
    grad_bias = torch.zeros(bias.shape, dtype=work.dtype, device=x.device)
    start = torch.tensor(eps, dtype=work.dtype, device=x.device)
    for block in blocks(layout):
        fields, all_runs = block.fields(source), runs(block.dims)
        tiling, space = Tiling.of(fields.shape, planes.rows, x.device), _Workspace(work, all_runs, ("u", "s", "gate"))
        biases, sums = (tiling.cut(_per_point(block.bias(t), fields)) for t in (full, grad_bias))
        vectors = _tiles(fields, all_runs, tiling, work, "v")
        slopes = _tiles(block.fields(incoming), all_runs, tiling, work, "w")
        targets = _tiles(block.fields(target), all_runs, tiling, work, "out", load=False)
        for v, w, o, b, total in zip(vectors, slopes, targets, biases, sums, strict=True):
            u, s, gate = space(b.shape)
            _inner(v, v, u, start)
            _inner(v, w, s)
            if function == "relu":
                _relu_terms(u.all, s.all, gate.all, b)
                for part, g, c, k, into in zip(v.parts, w.parts, gate.spread, u.spread, o.parts, strict=True):
                    # g + c (g - k v): zero where c = -1, since k = 0 there
                    torch.addcmul(g, c, torch.addcmul(g, part, k, value=-1, out=into), out=into)
            else:
                value, radial, slope = norm_function(function).terms(u.all, b)
                gate.all.copy_(value)
                torch.mul(radial, s.all, out=u.all)
                s.all.mul_(slope)
                for part, g, c, k, into in zip(v.parts, w.parts, gate.spread, u.spread, o.parts, strict=True):
                    torch.mul(g, c, out=into).addcmul_(part, k)
            total[0, :, :, 0] += s.all.sum(3).sum(0)
            o.store()
    return out, grad_bias.to(bias.dtype)


def _relu_terms(u: Tensor, s: Tensor, gate: Tensor, b: Tensor) -> None:
    """In place: `gate` to gate - 1, s to (d gate/db) s, and u to that over the norm."""
    r = u.rsqrt_()
    torch.mul(r, b, out=gate).clamp_min_(-1)
    # Zero where the gate is shut; the library's threshold makes no boolean mask.
    torch.ops.aten.threshold_backward(s.mul_(r), gate, -1, grad_input=s)
    u.mul_(s)
