"""What attention on the sphere computes between its linear maps: softmax over all or over caps, by area."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.domains.sphere import Sphere
from steerable.fields.type import FieldType
from steerable.kernels.envelope import envelope
from steerable.nn.constants import ConstantModule, on_processor

#: logarithm of no area: below any score, and a number, for constants are compared when they are loaded
_NOTHING = -1e30


class GlobalCore(ConstantModule):
    """``y_i = sum_j w_j e^(s_ij) v_j / sum_j w_j e^(s_ij)`` of scalars, over all samples.

    ``s_ij = q_i . k_j / sqrt(d) + b(cos d_ij)`` with a polynomial b for each head.

    Args:
        sphere: of keys and values.
        targets: of queries.
        heads: number of heads.
    """

    @on_processor
    def __init__(self, sphere: Sphere, targets: Sphere, heads: int) -> None:
        super().__init__()
        self.sphere, self.targets, self.heads = sphere, targets, heads
        weights = require_weights(sphere)
        self.register_constant("_log_area", torch.where(weights > 0, weights.log(), _NOTHING))
        self.register_constant("_here", targets.points().reshape(-1, 3))
        self.register_constant("_there", sphere.points().reshape(-1, 3))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, distance: Tensor) -> Tensor:
        """``[B, C, T]`` and twice ``[B, C, S]``, polynomials ``[heads, degree]``, to ``[B, C, T]``."""
        bias = self._log_area
        if distance.shape[1]:
            cos = self._here @ self._there.T  # smooth in the distance, at antipodes too
            powers = torch.zeros((self.heads, *cos.shape), dtype=q.dtype, device=q.device)
            for n in range(distance.shape[1] - 1, -1, -1):
                powers = (powers + distance[:, n, None, None]) * cos
            bias = bias + powers
        q, k, v = (t.unflatten(1, (self.heads, -1)).mT for t in (q, k, v))
        bias = bias.expand(1, self.heads, q.shape[2], k.shape[2])
        return F.scaled_dot_product_attention(q, k, v, bias).mT.flatten(1, 2)


class NeighbourCore(ConstantModule):
    """The same over caps, of fields of any spin: keys and values are carried to the frame of the query.

    ``s_ij = q_i . rho(t_ij) k_j / sqrt(d) + b(d_ij)``; areas are multiplied by a window that ends smoothly at the rim.

    Args:
        sphere: of keys and values.
        targets: of queries.
        type: of all three, in irreps; each block has a multiple of `heads` fields.
        radius: of the caps, in radians.
        heads: number of heads.

    Raises:
        ValueError: if a target has no sample in reach.
    """

    @on_processor
    def __init__(self, sphere: Sphere, targets: Sphere, type: FieldType, radius: float, heads: int) -> None:
        super().__init__()
        self.sphere, self.targets, self.heads, self.count = sphere, targets, heads, targets.num_points
        require_weights(sphere)
        near = sphere.neighbours(radius, targets)
        window = envelope(near.distance, radius) * near.weight
        kept = window > 1e-12 * window.max()
        found = torch.bincount(near.target[kept], minlength=self.count)
        if bool((found == 0).any()):
            raise ValueError(
                f"attention on {sphere!r} in caps of {radius:.4g} rad: {int((found == 0).sum())} of the queries on "
                f"{targets!r} see no sample; expected a radius of at least {1.5 * sphere.spacing:.3g}"
            )
        self.register_buffer("_target", near.target[kept], persistent=False)
        self.register_buffer("_source", near.source[kept], persistent=False)
        self.register_constant("_log_area", window[kept].log())
        self.register_constant("_square", (near.distance[kept] / radius).square())
        order, frequency = head_major(type, heads)
        self.register_buffer("_order", order, persistent=False)
        self.register_buffer("_back", order.argsort(), persistent=False)
        self.spins = bool((frequency > 0).any())
        if self.spins:
            transport = near.transport if near.transport is not None else torch.zeros_like(near.distance)
            known, inverse = frequency.unique(return_inverse=True)
            angle = transport[kept][:, None] * known
            self.register_constant("_cos", angle.cos())
            self.register_constant("_sin", angle.sin())
            self.register_buffer("_frequency", inverse, persistent=False)
            partner, sign = _quarter_turn(frequency)
            self.register_buffer("_partner", partner, persistent=False)
            self.register_constant("_sign", sign)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, distance: Tensor) -> Tensor:
        """``[B, C, T]`` and twice ``[B, C, S]``, polynomials of the squared distance ``[heads, degree]``."""
        q, k, v = self._split(q), self._split(k), self._split(v)
        scores = (q.index_select(0, self._target) * self._carried(k)).sum(-1) / math.sqrt(q.shape[-1])
        bias = self._log_area[:, None]
        if distance.shape[1]:
            powers = self._square[:, None] ** torch.arange(1, distance.shape[1] + 1, device=q.device)
            bias = bias + powers @ distance.T
        return self._averaged(scores + bias[:, None], v)

    def mean(self, v: Tensor) -> Tensor:
        """Means over the caps, ``[B, C, S]`` to ``[B, C, T]``: what attention gives that makes no difference."""
        v = self._split(v)
        return self._averaged(self._log_area[:, None, None].expand(-1, v.shape[1], self.heads), v)

    def _split(self, x: Tensor) -> Tensor:
        """``[B, C, N]`` to ``[N, B, heads, C / heads]``."""
        return x.index_select(1, self._order).permute(2, 0, 1).unflatten(2, (self.heads, -1))

    def _carried(self, x: Tensor) -> Tensor:
        """``rho(t) x`` of the source of every pair, ``[E, B, heads, D]``."""
        moved = x.index_select(0, self._source)
        if not self.spins:
            return moved
        cos, sin = (t.index_select(1, self._frequency)[:, None, None] for t in (self._cos, self._sin))
        return cos * moved + sin * (moved.index_select(3, self._partner) * self._sign)

    def _averaged(self, scores: Tensor, v: Tensor) -> Tensor:
        """Softmax over the pairs of each target ``[E, B, heads]``, and its mean of the values ``[B, C, T]``."""
        index = self._target[:, None, None].expand_as(scores)
        low = torch.full((self.count, *scores.shape[1:]), -torch.inf, dtype=scores.dtype, device=scores.device)
        most = low.scatter_reduce(0, index, scores.detach(), "amax")
        share = (scores - most.index_select(0, self._target)).exp()
        total = torch.zeros_like(most).index_add(0, self._target, share)
        pulled = share[..., None] * self._carried(v)
        y = pulled.new_zeros(self.count, *pulled.shape[1:]).index_add(0, self._target, pulled) / total[..., None]
        return y.flatten(2).permute(1, 2, 0).contiguous().index_select(1, self._back)


def require_weights(sphere: Sphere) -> Tensor:
    """Quadrature weights ``[N]`` that have a logarithm.

    Raises:
        ValueError: for negative ones.
    """
    weights = sphere.flat_weights()
    if bool((weights < 0).any()):
        raise ValueError(
            f"attention on {sphere!r}: the smallest quadrature weight is {float(weights.min()):.2g}; expected none "
            "below 0, as of Gauss, HEALPix or icosahedral samplings"
        )
    return weights


def frequencies(type: FieldType) -> Tensor:
    """Frequency of every channel ``[C]``: by how many angles it turns when its frame turns by one."""
    found = torch.zeros(type.size, dtype=torch.int64, device="cpu")
    for block in type.blocks:
        for start in range(block.start, block.stop, block.rep.size):
            for (s, t), id in zip(block.rep.irrep_slices, block.rep.irreps, strict=True):
                info = type.group.irrep_info(id)
                found[start + s : start + t] = info.frequency if info.dim == 2 else 0
    return found


def head_major(type: FieldType, heads: int) -> tuple[Tensor, Tensor]:
    """Order of the channels in which heads come one after another ``[C]``, and frequencies of one head ``[C / heads]``.

    Raises:
        ValueError: if the fields of a block do not divide among the heads.
    """
    parts = []
    for block in type.blocks:
        if block.multiplicity % heads:
            raise ValueError(
                f"attention: {block.multiplicity} fields of {block.rep.name} among {heads} heads; expected a multiple "
                f"of {heads} of each in inner={type!r}"
            )
        parts.append(torch.arange(block.start, block.stop).view(heads, -1))
    order = torch.cat(parts, 1)
    return order.flatten(), frequencies(type)[order[0]]


def _quarter_turn(frequency: Tensor) -> tuple[Tensor, Tensor]:
    """J on pairs of channels, ``(J x)_1 = -x_2`` and ``(J x)_2 = x_1``: partners and signs ``[D]``."""
    partner, sign = torch.arange(len(frequency)), torch.zeros(len(frequency), dtype=torch.float64)
    first = (frequency > 0).nonzero()[:, 0][::2]
    partner[first], partner[first + 1] = first + 1, first
    sign[first], sign[first + 1] = -1.0, 1.0
    return partner, sign
