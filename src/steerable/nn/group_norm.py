"""Normalisation of each sample over groups of fields and all positions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.layer_norm import SampleNorm, like, widen
from steerable.nn.module import field_of_channel


def group_norm(
    x: Tensor, along: Tensor, run: Tensor, weight: Tensor | None, bias: Tensor | None, runs: int, eps: float
) -> Tensor:
    """Normalise runs of channels of ``x [B, C, ...]`` over their channels and all positions.

    Args:
        x: features.
        along: ``[C]`` the invariant direction whose mean is removed (zero where a field has none).
        run: ``[C]`` the run to which a channel belongs.
        weight: ``[C]`` scale, or ``None``.
        bias: ``[C]`` shift, or ``None``.
        runs: number of runs.
        eps: added to the mean square.
    """
    v = widen(x)
    a = along.to(v.dtype)
    zero = torch.zeros(x.shape[0], runs, dtype=v.dtype, device=v.device)
    length = torch.zeros_like(a[:1]).expand(runs).index_add(0, run, a.square()).clamp_min(1)
    size = torch.zeros_like(a[:1]).expand(runs).index_add(0, run, torch.ones_like(a))
    moment = v if v.dim() == 2 else v.flatten(2).mean(2)
    mean = (zero.index_add(1, run, moment * a) / length).index_select(1, run)
    v = v - like(mean * a, v)
    moment = v.square() if v.dim() == 2 else v.square().flatten(2).mean(2)
    scale = torch.rsqrt(zero.index_add(1, run, moment) / size + eps).index_select(1, run)
    v = v * like(scale if weight is None else scale * weight, v)
    if bias is not None:
        v = v + like(bias, v)
    return v.to(x.dtype)


class GroupNorm(SampleNorm):
    """Statistics over ``groups`` runs of consecutive fields and all positions, for each sample.

    After Wu and He, ECCV 2018; on trivial fields it is ``torch.nn.GroupNorm``. The mean is taken along the invariant
    directions only, and each group has one scale.

    Args:
        in_type: type of the channels ``x [B, C, ...]``.
        groups: number of groups; it divides the number of fields, whose dimensions may differ.
        eps: added to the mean square.
        affine: whether to learn ``weight [fields]`` and a bias for each field with an invariant direction.

    Raises:
        ValueError: if the groups cannot share the fields equally, or for wrong channels.
    """

    def __init__(self, in_type: FieldType, groups: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(in_type, eps, affine)
        fields = in_type.num_fields
        if not isinstance(groups, int) or groups < 1 or fields % groups:
            raise ValueError(
                f"{type(self).__name__}: groups must divide the {fields} fields of {in_type!r}, got "
                f"{groups!r}; use 1 (all fields together) or {fields} (each field alone)"
            )
        self.groups = groups
        run = field_of_channel(in_type) // (fields // groups)
        self.register_constant("run", run)
        sizes = np.bincount(run, minlength=groups)
        self._equal = in_type.is_permutation and bool((sizes == sizes[0]).all())

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x [B, C, ...]``."""
        self.check_input(x)
        weight, bias = self.affine_per_channel()
        if self._equal and x.shape[0]:
            return F.group_norm(x, self.groups, weight, bias, self.eps)
        return group_norm(x, self.along, self.run, weight, bias, self.groups, self.eps)

    def extra_repr(self) -> str:
        """Type and groups, for printing."""
        return f"{self.in_type!r}, groups={self.groups}"

    def bake(self) -> nn.Module:
        """``torch.nn.GroupNorm`` where groups are permutation fields of one size, else the same on fixed tensors."""
        weight, bias = self.affine_per_channel()
        if not self._equal:
            return PlainGroupNorm(self.along, self.run, weight, bias, self.groups, self.eps)
        baked = nn.GroupNorm(self.groups, self.in_type.size, self.eps, affine=weight is not None)
        if weight is not None and bias is not None:
            baked.weight, baked.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
        return baked


class InstanceNorm(GroupNorm):
    """Each field of each sample on its own: :class:`GroupNorm` with one field a group (Ulyanov et al., 2016)."""

    def __init__(self, in_type: FieldType, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(in_type, max(getattr(in_type, "num_fields", 1), 1), eps, affine)


class PlainGroupNorm(nn.Module):
    """Group norm over runs of channels with a fixed direction for the mean."""

    def __init__(
        self, along: Tensor, run: Tensor, weight: Tensor | None, bias: Tensor | None, runs: int, eps: float
    ) -> None:
        super().__init__()
        self.runs, self.eps = runs, eps
        for name, value in (("along", along), ("run", run), ("weight", weight), ("bias", bias)):
            self.register_buffer(name, None if value is None else value.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x [B, C, ...]``."""
        return group_norm(x, self.along, self.run, self.weight, self.bias, self.runs, self.eps)  # type: ignore[arg-type]
