"""Batch normalisation by field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.blocks import Block
from steerable.fields.type import FieldType
from steerable.nn.eager_norm import EagerFieldNorm
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

    A permutation field (regular, quotient, trivial) has one mean and one variance, shared by its channels. Any other
    field loses its mean along invariant vectors only and is divided by the root of its mean square per channel; its
    bias lives along the invariant vectors. So the layer commutes with the group, in train and in eval.

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
    field: Tensor
    sizes: Tensor
    lost: Tensor
    lengths: Tensor

    def __init__(
        self,
        in_type: FieldType,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        require_type(in_type, "BatchNorm")
        super().__init__(in_type, in_type)
        self.eps, self.momentum, self.affine = eps, momentum, affine
        self.track_running_stats = track_running_stats
        runs: list[_Run] = []
        squares: list[np.ndarray] = []
        fields = vectors = 0
        for k, b in enumerate(in_type.blocks):
            along = invariant_vectors(b)
            self.register_constant(f"along_{k}", along)
            n = len(along)
            squares.append(np.tile(np.square(np.asarray(along)).sum(1), b.multiplicity))
            runs.append(
                _Run(
                    b.start,
                    b.stop,
                    *b.shape,
                    fields,
                    fields + b.multiplicity,
                    vectors,
                    vectors + n * b.multiplicity,
                    n,
                    b.rep.is_permutation,
                )
            )
            fields, vectors = runs[-1].f1, runs[-1].i1
        self._runs = tuple(runs)
        self._least = min((r.d for r in runs), default=1)
        # numpy, as building a layer must cost no more than building a plain one; of each field its channels and the
        # degrees of freedom its mean takes, of each vector its square length
        multiplicities = [r.m for r in runs]
        sizes = np.repeat([r.d for r in runs], multiplicities).astype(np.int64)
        self.register_constant("field", np.repeat(np.arange(fields), sizes))
        self.register_constant("sizes", sizes.astype(np.float64))
        self.register_constant("lost", np.repeat([float(r.n) for r in runs], multiplicities))
        self.register_constant("lengths", np.concatenate([*squares, np.zeros(0)]))
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
        if x.shape[0] == 0 or not self._runs or not (self.training or self.running_var is None):
            return self._fixed(x)
        self._check_values(x)
        factor = self._factor()
        if len(self._runs) == 1 and self._runs[0].permutation:
            mean, var = (self.running_mean, self.running_var) if self.training else (None, None)
            return self._by_library(x, self._runs[0], mean, var, self.weight, self.bias, factor)
        if self.running_mean is None or self.running_var is None or not self.training:
            return self.by_blocks(x, self.weight, self.bias)[0]
        if x.dtype == self.running_var.dtype and not torch.compiler.is_compiling():
            y, mean, var = EagerFieldNorm.apply(x, self.weight, self.bias, self)
        else:
            y, mean, var = self.by_blocks(x, self.weight, self.bias)
        with torch.no_grad():
            values = self.sizes * (x.numel() // x.shape[1])
            unbiased = var * (values / (values - self.lost).clamp_min(1))
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), factor)
        return y

    def by_blocks(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise by the batch in ordinary operators: the definition. Also gives means and variances."""
        found = [self._normalise(x, k, weight, bias) for k in range(len(self._runs))]
        if len(found) == 1:
            return found[0]
        y, mean, var = (torch.cat([f[i] for f in found], 1 if i == 0 else 0) for i in range(3))
        return y, mean, var

    def _factor(self) -> float:
        """Weight of this batch in the running statistics; counts the batch."""
        if not self.training or self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def _check_values(self, x: Tensor) -> None:
        if torch.compiler.is_compiling():
            return
        if x.numel() == x.shape[1] and self._least == 1:
            raise ValueError(
                f"BatchNorm: input of shape {tuple(x.shape)} holds one value per field, expected more "
                f"than one when training; use a larger batch or .eval()"
            )

    def _by_library(
        self,
        x: Tensor,
        r: _Run,
        mean: Tensor | None,
        var: Tensor | None,
        weight: Tensor | None,
        bias: Tensor | None,
        factor: float,
    ) -> Tensor:
        """Permutation fields by the library's kernel, on a view in which a field and its channels share one axis."""
        if r.d == 1:
            return F.batch_norm(x, mean, var, weight, bias, True, factor, self.eps)
        if torch.compiler.is_compiling():
            return self._by_channels(x, r, mean, var, weight, bias, factor)
        shape = x.shape
        along = (r.d,) if len(shape) == 2 else (r.d * shape[2], *shape[3:])
        y = F.batch_norm(x.reshape(shape[0], r.m, *along), mean, var, weight, bias, True, factor, self.eps)
        return y.reshape(shape)

    def _by_channels(
        self,
        x: Tensor,
        r: _Run,
        mean: Tensor | None,
        var: Tensor | None,
        weight: Tensor | None,
        bias: Tensor | None,
        factor: float,
    ) -> Tensor:
        """``_by_library`` for compilers, from the moments of the channels.

        They lay features out with the channels last, where a field as one axis is no merge of axes and every loop
        over it divides indices for each element (measured: 10 times the work).
        """
        wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
        within, centre = torch.var_mean(wide, [0, *range(2, x.dim())], correction=0)
        within, centre = within.view(r.m, r.d), centre.view(r.m, r.d)
        middle = centre.mean(1)
        square = (within + (centre - middle[:, None]).square()).mean(1)
        if mean is not None and var is not None:
            with torch.no_grad():
                values = x.numel() // r.m
                mean.lerp_(middle.detach().to(mean.dtype), factor)
                var.lerp_(square.detach().to(var.dtype) * (values / max(values - 1, 1)), factor)
        scale = torch.rsqrt(square + self.eps)
        scale = scale if weight is None else scale * weight
        shift = -middle * scale if bias is None else bias - middle * scale
        # field to channel as a sum, which compilers write out once; a bare expansion they would redo for every element
        one = torch.eye(r.d, dtype=scale.dtype, device=scale.device)
        scale, shift = ((t[:, None, None] * one).sum(2).view(-1, *[1] * (x.dim() - 2)) for t in (scale, shift))
        return (wide * scale + shift).to(x.dtype)

    def _normalise(
        self, x: Tensor, k: int, weight: Tensor | None, bias: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Block ``k`` of ``x`` by the statistics of the batch, and these: mean along vectors, biased variance."""
        r = self._runs[k]
        x = x if len(self._runs) == 1 else x[:, r.start : r.stop]
        weight = None if weight is None else weight[r.f0 : r.f1]
        bias = None if bias is None or not r.n else bias[r.i0 : r.i1]
        if r.permutation:
            reference = getattr(self, f"along_{k}") if self.running_var is None else self.running_var
            # the kernel writes its statistics into these: slices of the buffers would clash in the backward pass
            mean, var = (torch.zeros(r.m, dtype=reference.dtype, device=x.device) for _ in range(2))
            y = self._by_library(x, r, mean, var, weight, bias, 1.0)
            values = x.numel() // r.m
            return y, mean, var * ((values - 1) / values)
        return self._by_invariants(x, r, getattr(self, f"along_{k}"), weight, bias)

    def _by_invariants(
        self, x: Tensor, r: _Run, along: Tensor, weight: Tensor | None, bias: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Other fields: the mean along invariant vectors, then one scale per field."""
        # half precision is widened, as the library's kernel does inside
        v = (x if x.dtype in (torch.float32, torch.float64) else x.float()).reshape(x.shape[0], r.m, r.d, -1)
        mean = v.new_zeros(0)
        if r.n:
            coefficients = (v.mean((0, 3)).unsqueeze(1) * along).sum(-1) / along.square().sum(-1)  # [m, n]
            v = v - (coefficients.unsqueeze(-1) * along).sum(1).unsqueeze(-1)
            mean = coefficients.flatten()
        square = v.square().mean((0, 2, 3))
        scale = torch.rsqrt(square + self.eps)
        y = v * (scale if weight is None else scale * weight)[:, None, None]
        if bias is not None:
            y = y + (bias.view(r.m, r.n, 1) * along).sum(1).unsqueeze(-1)
        return y.to(x.dtype).reshape(x.shape), mean, square

    def channels(self, coefficients: Tensor) -> Tensor:
        """``[C]`` from coefficients along the invariant vectors."""
        if all(r.permutation for r in self._runs):
            return coefficients.index_select(0, self.field)
        parts = [
            (coefficients[r.i0 : r.i1].view(r.m, r.n, 1) * getattr(self, f"along_{k}")).sum(1).flatten()
            for k, r in enumerate(self._runs)
        ]
        return torch.cat(parts)

    def moments(self, values: Tensor) -> Tensor:
        """Inner products of ``values [C]`` with the invariant vectors, ``[vectors]``: the transpose of ``channels``."""
        parts = [
            (values[r.start : r.stop].view(r.m, 1, r.d) * getattr(self, f"along_{k}")).sum(-1).flatten()
            for k, r in enumerate(self._runs)
        ]
        return torch.cat(parts)

    def per_field(self, values: Tensor) -> Tensor:
        """Sums ``[fields]`` of ``values [C]`` over the channels of each field."""
        parts = [values[r.start : r.stop].view(r.m, r.d).sum(-1) for r in self._runs]
        return torch.cat(parts)

    def affine_per_channel(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean, variance, weight and bias ``[C]`` of the map that eval applies to every channel."""
        reference = self.along_0 if self.weight is None else self.weight
        ones = torch.ones(self.in_type.size, dtype=reference.dtype, device=reference.device)
        mean, var = torch.zeros_like(ones), ones
        if self.running_mean is not None and self.running_var is not None:
            mean, var = self.channels(self.running_mean), self.running_var.index_select(0, self.field)
        weight = ones if self.weight is None else self.weight.index_select(0, self.field)
        bias = torch.zeros_like(ones) if self.bias is None else self.channels(self.bias)
        return mean, var, weight, bias

    def _fixed(self, x: Tensor) -> Tensor:
        """What eval does: one scale and one shift per channel."""
        if not self._runs:
            return x
        return F.batch_norm(x, *self.affine_per_channel(), False, 0.0, self.eps)

    def normalise_by(self, x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        """``x`` by given statistics: one scale and one shift per channel."""
        w = None if weight is None else weight[self.field]
        b = None if bias is None else self.channels(bias)
        return F.batch_norm(x, self.channels(mean), var[self.field], w, b, False, 0.0, self.eps)

    def extra_repr(self) -> str:
        """Type and options, for printing."""
        return f"{self.in_type!r}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"

    def bake(self) -> nn.Module:
        """An ordinary batch norm with expanded statistics, which ``st.bake`` folds into a linear map right before it.

        Raises:
            ValueError: without running statistics, since eval then depends on the batch.
        """
        if self.running_mean is None:
            raise ValueError(
                f"BatchNorm({self.in_type!r}): track_running_stats is False, so eval depends on the batch "
                f"and cannot be baked; expected track_running_stats=True, or use GroupNorm"
            )
        baked = FixedBatchNorm(self.in_type.size, self.eps)
        with torch.no_grad():
            values = self.affine_per_channel()
            baked.to(values[0].device, values[0].dtype)
            targets = (baked.running_mean, baked.running_var, baked.weight, baked.bias)
            for target, value in zip(targets, values, strict=True):
                target.copy_(value)  # type: ignore[union-attr]
        return baked.eval()


class FixedBatchNorm(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
    """An ordinary batch norm over axis 1, whatever axes follow."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape ``[B, C, ...]``."""
