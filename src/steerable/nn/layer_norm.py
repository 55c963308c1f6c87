"""Normalisation of every position over its channels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, field_of_channel, require_type
from steerable.nn.norm import invariant_vectors


def widen(x: Tensor) -> Tensor:
    """Half precision as float32, in which moments are taken."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def like(v: Tensor, x: Tensor) -> Tensor:
    """A per-channel ``[C]`` or per-sample ``[B, C]`` tensor, shaped to multiply ``x [B, C, ...]``."""
    return v.reshape(v.shape + (1,) * (x.dim() - 2))


def layer_norm(x: Tensor, along: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Normalise every position of ``x [B, C, ...]`` over its channels.

    Args:
        x: features.
        along: ``[C]`` the invariant direction whose mean is removed (zero where a field has none).
        weight: ``[C]`` scale, or ``None``.
        bias: ``[C]`` shift, or ``None``.
        eps: added to the mean square.
    """
    v = widen(x)
    a = like(along.to(v.dtype), v)
    v = v - a * ((v * a).sum(1, keepdim=True) / along.square().sum().clamp_min(1).to(v.dtype))
    v = v * torch.rsqrt(v.square().mean(1, keepdim=True) + eps)
    if weight is not None:
        v = v * like(weight, v)
    if bias is not None:
        v = v + like(bias, v)
    return v.to(x.dtype)


class SampleNorm(EquivariantModule):
    """Shared half of layer and group norm: a scale per field and a bias along its invariant direction.

    The invariant direction of a field is all-ones for a permutation field, else the sum of its invariant vectors;
    fields without invariant vectors have no mean and no bias.
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, in_type: FieldType, eps: float, affine: bool) -> None:
        require_type(in_type, type(self).__name__)
        super().__init__(in_type, in_type)
        self.eps = eps
        along, slot, fields, slots = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], 0, 0
        for b in in_type.blocks:
            vectors = invariant_vectors(b).numpy()
            number = np.repeat(np.arange(b.multiplicity), b.rep.size)
            along.append(np.tile(vectors.sum(0), b.multiplicity))
            slot.append(slots + number if len(vectors) else np.zeros_like(number))
            fields += b.multiplicity
            slots += b.multiplicity if len(vectors) else 0
        self.register_constant("along", np.concatenate(along))
        self.register_constant("field", field_of_channel(in_type))
        self.register_constant("slot", np.concatenate(slot))
        self.register_parameter("weight", nn.Parameter(torch.ones(fields)) if affine else None)
        self.register_parameter("bias", nn.Parameter(torch.zeros(slots)) if affine and slots else None)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def affine_per_channel(self) -> tuple[Tensor | None, Tensor | None]:
        """Weight and bias ``[C]``."""
        weight = None if self.weight is None else self.weight.index_select(0, self.field)
        bias = None if self.bias is None else self.bias.index_select(0, self.slot) * self.along
        return weight, bias


class LayerNorm(SampleNorm):
    """Each position on its own: the mean along the invariant directions is removed, all channels share one scale.

    After Ba et al., 2016, arXiv 1607.06450; on trivial fields it is ``torch.nn.LayerNorm`` over the channel axis. One
    scale for all fields keeps the ratio of invariant and turning features, which is itself invariant.

    Args:
        in_type: type of the channels ``x [B, C, ...]``.
        eps: added to the mean square.
        affine: whether to learn ``weight [fields]`` and a bias for each field with an invariant direction.

    Raises:
        ValueError: for wrong channels.
    """

    def __init__(self, in_type: FieldType, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(in_type, eps, affine)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x [B, C, ...]``."""
        self.check_input(x)
        return layer_norm(x, self.along, *self.affine_per_channel(), self.eps)

    def bake(self) -> nn.Module:
        """The same operations on tensors of one entry a channel."""
        return PlainLayerNorm(self.along, *self.affine_per_channel(), self.eps)


class PlainLayerNorm(nn.Module):
    """Layer norm over axis 1 with a fixed direction for the mean."""

    def __init__(self, along: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("along", along), ("weight", weight), ("bias", bias)):
            self.register_buffer(name, None if value is None else value.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x [B, C, ...]``."""
        return layer_norm(x, self.along, self.weight, self.bias, self.eps)  # type: ignore[arg-type]
