"""Batch normalisation by field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.blocks import Block
from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type


@dataclass(frozen=True)
class _Run:
    """Where the statistics of one block lie: fields ``f0:f1``, invariant vectors ``i0:i1`` (``n`` a field)."""

    start: int
    stop: int
    m: int
    d: int
    f0: int
    f1: int
    i0: int
    i1: int
    n: int
    permutation: bool


def invariant_vectors(block: Block) -> Tensor:
    """Vectors ``[n, d]`` along which a field has a mean and a bias: all-ones for a permutation, else the invariants."""
    rep = block.rep
    return torch.from_numpy(np.ones((1, rep.size))) if rep.is_permutation else rep.invariants


class BatchNorm(EquivariantModule):
    """Batch norm with statistics per field, after Weiler and Cesa, NeurIPS 2019, section 2.6 and Weiler et al., 2018.

    A permutation field (regular, quotient, trivial) has one mean and one variance, shared by its channels. Any other field
    loses its mean along invariant vectors only and is divided by the root of its mean square per channel; its bias lives
    along the invariant vectors. So the layer commutes with the group, in train and in eval.

    Takes and gives ``[B, C]``, ``[B, C, L]``, ``[B, C, H, W]`` or ``[B, C, D, H, W]``. On trivial fields it is
    ``torch.nn.BatchNorm``. An empty batch passes and leaves the running statistics untouched.

    Args:
        in_type: type of the channels.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics; ``None`` averages over all batches.
        affine: whether to learn ``weight [fields]`` and ``bias [invariant vectors]``.
        track_running_stats: whether eval uses running statistics.

    Raises:
        ValueError: for wrong channels, or in train if a field has a single value to normalise.
    """

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, in_type: FieldType, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True) -> None:
        require_type(in_type, "BatchNorm")
        super().__init__(in_type, in_type)
        self.eps, self.momentum, self.affine = eps, momentum, affine
        self.track_running_stats = track_running_stats
        runs: list[_Run] = []
        fields = vectors = 0
        for k, b in enumerate(in_type.blocks):
            along = invariant_vectors(b)
            self.register_constant(f"along_{k}", along)
            n = len(along)
            runs.append(_Run(b.start, b.stop, *b.shape, fields, fields + b.multiplicity, vectors,
                             vectors + n * b.multiplicity, n, b.rep.is_permutation))
            fields, vectors = runs[-1].f1, runs[-1].i1
        self._runs = tuple(runs)
        self.register_constant("field", np.repeat(np.arange(fields), [rep.size for rep in in_type.fields]))
        self.register_parameter("weight", nn.Parameter(torch.empty(fields)) if affine else None)
        self.register_parameter("bias", nn.Parameter(torch.empty(vectors)) if affine and vectors else None)
        self.register_buffer("running_mean", torch.empty(vectors) if track_running_stats else None)
        self.register_buffer("running_var", torch.empty(fields) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", torch.tensor(0) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, fresh statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x [B, C, ...]``."""
        self.check_input(x)
        if x.shape[0] == 0 or not (self.training or self.running_var is None):
            return self._fixed(x)
        self._check_values(x)
        factor = self._factor()
        parts = [self._normalise(x if len(self._runs) == 1 else x[:, r.start : r.stop], k, factor)
                 for k, r in enumerate(self._runs)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def _factor(self) -> float:
        """Weight of this batch in the running statistics; counts the batch."""
        if not self.training or self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def _check_values(self, x: Tensor) -> None:
        if torch.compiler.is_compiling():
            return
        values = x.numel() // max(x.shape[1], 1) * min((r.d for r in self._runs), default=2)
        if values == 1:
            raise ValueError(f"BatchNorm: input of shape {tuple(x.shape)} holds one value per field, expected more than one "
                             f"when training; use a larger batch or .eval()")

    def _statistics(self, r: _Run) -> tuple[Tensor | None, ...]:
        """Running mean and variance, weight and bias of one block, as views."""
        whole = len(self._runs) == 1
        pairs = ((self.running_mean, r.i0, r.i1), (self.running_var, r.f0, r.f1), (self.weight, r.f0, r.f1),
                 (self.bias, r.i0, r.i1))
        return tuple(t if t is None or whole else t[a:b] for t, a, b in pairs)

    def _normalise(self, x: Tensor, k: int, factor: float) -> Tensor:
        """One block ``[B, m d, ...]`` by the statistics of the batch."""
        r = self._runs[k]
        mean, var, weight, bias = self._statistics(r)
        if not self.training:
            mean = var = None
        if r.permutation:
            # the library's kernel on a view: a field and its channels share the axis over which it averages
            view = x if r.d == 1 else x.unflatten(1, (r.m, r.d)).flatten(2, 3 if x.dim() > 2 else 2)
            return F.batch_norm(view, mean, var, weight, bias, True, factor, self.eps).reshape(x.shape)
        return self._normalise_invariants(x, k, factor, mean, var, weight, bias)

    def _normalise_invariants(self, x: Tensor, k: int, factor: float, mean: Tensor | None, var: Tensor | None,
                              weight: Tensor | None, bias: Tensor | None) -> Tensor:
        r = self._runs[k]
        along = getattr(self, f"along_{k}")
        # half precision is widened, as the library's kernel does inside
        v = (x if x.dtype in (torch.float32, torch.float64) else x.float()).unflatten(1, (r.m, r.d)).flatten(3)
        v = v if v.dim() == 4 else v.unsqueeze(-1)
        count = v.shape[0] * v.shape[3]
        if r.n:
            coefficients = (v.mean((0, 3)).unsqueeze(1) * along).sum(-1) / along.square().sum(-1)  # [m, n]
            v = v - (coefficients.unsqueeze(-1) * along).sum(1).unsqueeze(-1)
        square = v.square().mean((0, 2, 3))
        if mean is not None and var is not None:
            with torch.no_grad():
                values = count * r.d
                if r.n:
                    mean.lerp_(coefficients.flatten().to(mean.dtype), factor)
                var.lerp_((square * (values / max(values - r.n, 1))).to(var.dtype), factor)
        scale = torch.rsqrt(square + self.eps)
        v = v * (scale if weight is None else scale * weight)[:, None, None]
        if bias is not None and r.n:
            v = v + (bias.view(r.m, r.n, 1) * along).sum(1).unsqueeze(-1)
        return v.to(x.dtype).reshape(x.shape)

    def _channels(self, coefficients: Tensor) -> Tensor:
        """``[C]`` from coefficients along the invariant vectors."""
        if all(r.permutation for r in self._runs):
            return coefficients.index_select(0, self.field)
        parts = [(coefficients[r.i0 : r.i1].view(r.m, r.n, 1) * getattr(self, f"along_{k}")).sum(1).flatten()
                 for k, r in enumerate(self._runs)]
        return torch.cat(parts)

    def affine_per_channel(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean, variance, weight and bias ``[C]`` of the map that eval applies to every channel."""
        reference = self.along_0 if self.weight is None else self.weight
        ones = torch.ones(self.in_type.size, dtype=reference.dtype, device=reference.device)
        mean, var = torch.zeros_like(ones), ones
        if self.running_mean is not None and self.running_var is not None:
            mean, var = self._channels(self.running_mean), self.running_var.index_select(0, self.field)
        weight = ones if self.weight is None else self.weight.index_select(0, self.field)
        bias = torch.zeros_like(ones) if self.bias is None else self._channels(self.bias)
        return mean, var, weight, bias

    def _fixed(self, x: Tensor) -> Tensor:
        """What eval does: one scale and one shift per channel."""
        if not self._runs:
            return x
        mean, var, weight, bias = self.affine_per_channel()
        return F.batch_norm(x, mean, var, weight, bias, False, 0.0, self.eps)

    def extra_repr(self) -> str:
        """Type and options, for printing."""
        return f"{self.in_type!r}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"

    def bake(self) -> nn.Module:
        """An ordinary batch norm with expanded statistics, which ``st.bake`` folds into a linear map right before it.

        Raises:
            ValueError: without running statistics, since eval then depends on the batch.
        """
        if self.running_mean is None:
            raise ValueError("BatchNorm: track_running_stats is False, so eval depends on the batch and cannot be baked; "
                             "expected track_running_stats=True, or use GroupNorm")
        baked = FixedBatchNorm(self.in_type.size, self.eps)
        with torch.no_grad():
            values = self.affine_per_channel()
            baked.to(values[0].device, values[0].dtype)
            for target, value in zip((baked.running_mean, baked.running_var, baked.weight, baked.bias), values, strict=True):
                target.copy_(value)  # type: ignore[union-attr]
        return baked.eval()


class FixedBatchNorm(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
    """An ordinary batch norm over axis 1, whatever axes follow."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 (the name torch uses)
        """Any shape ``[B, C, ...]``."""
