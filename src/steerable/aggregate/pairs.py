"""Contraction over a fixed list of pairs, as sparse matrices: samplings of any kind."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from steerable.aggregate.paths import runs_eagerly
from steerable.domains.sphere.memo import remember
from steerable.groups.eager import full_precision


class PairRows(NamedTuple):
    """A sparse pattern of N rows and M columns, in rows and in columns.

    Attributes:
        start: where each row starts ``[N + 1]``.
        source: column of each pair ``[E]``, sorted by row.
        target: row of each pair ``[E]``.
        column_start: where each column starts in the other order, ``[M + 1]``.
        by_column: the pairs in the order of columns ``[E]``.
    """

    start: Tensor
    source: Tensor
    target: Tensor
    column_start: Tensor
    by_column: Tensor


def pair_rows(target: Tensor, source: Tensor, rows: int, columns: int) -> PairRows:
    """The pattern of pairs that are sorted by target."""
    return remember(("rows", rows, columns), (target, source), lambda: _pair_rows(target, source, rows, columns))


def _pair_rows(target: Tensor, source: Tensor, rows: int, columns: int) -> PairRows:
    zero = target.new_zeros(1)
    start = torch.cat([zero, torch.bincount(target, minlength=rows).cumsum(0)])
    column_start = torch.cat([zero, torch.bincount(source, minlength=columns).cumsum(0)])
    return PairRows(start, source, target, column_start, torch.argsort(source, stable=True))


def pair_sums(values: Tensor, x: Tensor, rows: PairRows) -> Tensor:
    """``S_i = sum_(j -> i) Y_ij x_j`` for one scalar function of the pairs.

    Args:
        values: ``[E]``.
        x: ``[M, R]``.
        rows: the pattern.

    Returns:
        ``[N, R]``; differentiable in both. Compilers and transforms see a gather and a scatter. Half precision is
        summed in float32: there are no sparse products of it, and small terms would be lost.
    """
    if x.dtype in (torch.float16, torch.bfloat16):
        return pair_sums(values.float(), x.float(), rows).to(x.dtype)
    if torch.compiler.is_compiling() or not runs_eagerly(values, x):
        moved = values[:, None] * x.index_select(0, rows.source)
        return moved.new_zeros(len(rows.start) - 1, x.shape[1]).index_add(0, rows.target, moved)
    return _PairSums.apply(values, x, rows)


class _PairSums(torch.autograd.Function):
    """Products of sparse matrices, which never hold a number for every pair and every column."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, x: Tensor, rows: PairRows) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(values, x)
        ctx.rows = rows
        return _product(rows.start, rows.source, values, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        (values, x), rows = ctx.saved_tensors, ctx.rows
        to_values = to_x = None
        if ctx.needs_input_grad[1]:
            turned = PairRows(
                rows.column_start,
                rows.target[rows.by_column],
                rows.source[rows.by_column],
                rows.start,
                _inverse(rows.by_column),
            )
            to_x = pair_sums(values[rows.by_column], grad, turned)
        if ctx.needs_input_grad[0]:
            to_values = (grad.index_select(0, rows.target) * x.index_select(0, rows.source)).sum(1)
        return to_values, to_x, None


def _inverse(order: Tensor) -> Tensor:
    return torch.empty_like(order).index_copy(0, order, torch.arange(len(order), device=order.device))


def _product(start: Tensor, column: Tensor, values: Tensor, x: Tensor) -> Tensor:
    with warnings.catch_warnings(), full_precision(x):  # a backward pass may run where a program asks for less
        warnings.simplefilter("ignore", UserWarning)  # sparse rows are announced as a beta feature
        matrix = torch.sparse_csr_tensor(start, column, values, (len(start) - 1, len(x)), check_invariants=False)
        return torch.mm(matrix, x.contiguous())
