"""Norm activations in tiles that stay in the cache: the arithmetic of the eager first-order path.

Pure functions without a graph; `norm_act.py` holds the definition that they must equal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.nn.functional.layout import Layout, Run, blocks, runs
from steerable.nn.functional.norm_functions import norm_function
from steerable.nn.functional.paths import accumulation_dtype
from steerable.nn.functional.tiles import Planes, Scratch, tiles

Parts = list[Tensor]
"""A tile by runs: ``[b, m, count, dim, p]`` for fields, ``[b, m, count, p]`` for norms."""


def _fields(tile: Tensor, all_runs: tuple[Run, ...]) -> Parts:
    return [run.split(tile) for run in all_runs]


def _norms(planes: Tensor, all_runs: tuple[Run, ...]) -> Parts:
    return [planes[:, :, run.first : run.last] for run in all_runs]


def _inner(left: Parts, right: Parts, out: Parts, start: Tensor | None = None) -> None:
    """``out = start + <left, right>``, irrep by irrep, one component at a time: no product is ever kept."""
    for v, w, o in zip(left, right, out, strict=True):
        a, b = v.unbind(3), w.unbind(3)
        if start is None:
            torch.mul(a[0], b[0], out=o)
        else:
            torch.addcmul(start, a[0], b[0], out=o)
        for i in range(1, len(a)):
            o.addcmul_(a[i], b[i])


def norm_act_forward(x: Tensor, bias: Tensor, layout: Layout, function: str, eps: float) -> Tensor:
    """The activation of ``x: [B, C, *S]`` with ``bias: [norms]``; equals `plain_norm_act`."""
    planes, work = Planes(x), Scratch(accumulation_dtype(x), x.device)
    out = planes.empty_like(x)
    source, target = planes(x), planes(out)
    start = torch.tensor(eps, dtype=work.dtype, device=x.device)
    for block in blocks(layout):
        fields, results, all_runs = block.fields(source), block.fields(target), runs(block.dims)
        b = block.bias(bias).to(work.dtype).unsqueeze(-1)
        for tile in tiles(fields.shape, planes.rows, x.device):
            v, into = work.staged("v", fields[tile]), results[tile]
            write = into if into.dtype == work.dtype else work.buffer("out", into.shape)
            u = work.buffer("u", (*v.shape[:2], len(block.dims), v.shape[3]))
            vs, outs = _fields(v, all_runs), _fields(write, all_runs)
            _inner(vs, vs, _norms(u, all_runs), start)
            if function == "relu":
                u.rsqrt_().mul_(b[tile[1]]).clamp_min_(-1)
                for part, c, o in zip(vs, _norms(u, all_runs), outs, strict=True):
                    torch.addcmul(part, part, c.unsqueeze(3), out=o)
            else:
                gate = norm_function(function).gate(u, b[tile[1]])
                for part, c, o in zip(vs, _norms(gate, all_runs), outs, strict=True):
                    torch.mul(part, c.unsqueeze(3), out=o)
            if write is not into:
                into.copy_(write)
    return out


def norm_act_backward(
    x: Tensor, bias: Tensor, grad: Tensor, layout: Layout, function: str, eps: float
) -> tuple[Tensor, Tensor]:
    """Gradients of ``x: [B, C, *S]`` and ``bias: [norms]`` from ``grad: [B, C, *S]``; equals `formula_backward`."""
    planes, work = Planes(x), Scratch(accumulation_dtype(x), x.device)
    out = planes.empty_like(x)
    source, incoming, target = planes(x), planes(grad), planes(out)
    biases = torch.zeros(bias.shape, dtype=work.dtype, device=x.device)
    start = torch.tensor(eps, dtype=work.dtype, device=x.device)
    for block in blocks(layout):
        fields, grads, results = block.fields(source), block.fields(incoming), block.fields(target)
        all_runs, b, grad_b = runs(block.dims), block.bias(bias).to(work.dtype).unsqueeze(-1), block.bias(biases)
        for tile in tiles(fields.shape, planes.rows, x.device):
            v, w, into = work.staged("v", fields[tile]), work.staged("w", grads[tile]), results[tile]
            write = into if into.dtype == work.dtype else work.buffer("out", into.shape)
            u, s, gate = (work.buffer(name, (*v.shape[:2], len(block.dims), v.shape[3])) for name in ("u", "s", "gate"))
            vs, ws, outs = _fields(v, all_runs), _fields(w, all_runs), _fields(write, all_runs)
            _inner(vs, vs, _norms(u, all_runs), start)
            _inner(vs, ws, _norms(s, all_runs))
            if function == "relu":
                slope = _relu_terms(u, s, gate, b[tile[1]])
                for part, g, c, k, o in zip(vs, ws, _norms(gate, all_runs), _norms(u, all_runs), outs, strict=True):
                    # g + c (g - k v): zero where c = -1, since k = 0 there
                    torch.addcmul(g, c.unsqueeze(3), torch.addcmul(g, part, k.unsqueeze(3), value=-1, out=o), out=o)
            else:
                value, radial, slope = norm_function(function).terms(u, b[tile[1]])
                slope, radial = slope * s, radial * s
                for part, g, c, k, o in zip(
                    vs, ws, _norms(value, all_runs), _norms(radial, all_runs), outs, strict=True
                ):
                    torch.mul(g, c.unsqueeze(3), out=o).addcmul_(part, k.unsqueeze(3))
            grad_b[tile[1]] += slope.sum(3).sum(0)
            if write is not into:
                into.copy_(write)
    return out, biases.to(bias.dtype)


def _relu_terms(u: Tensor, s: Tensor, gate: Tensor, b: Tensor) -> Tensor:
    """In place: `gate` to gate - 1, s to (d gate/db) s, which is returned, u to that over the norm."""
    r = u.rsqrt_()
    torch.mul(r, b, out=gate).clamp_min_(-1)
    # Zero where the gate is shut; the library's threshold makes no boolean mask.
    torch.ops.aten.threshold_backward(s.mul_(r), gate, -1, grad_input=s)
    u.mul_(s)
    return s
