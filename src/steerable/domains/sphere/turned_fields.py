"""Fields on the sphere turned by interpolation: nothing rings, but waves as short as two samples are smoothed."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.sphere.neighbours import sphere_neighbours
from steerable.domains.sphere.sphere import Sphere
from steerable.fields.type import FieldType

# radius of the samples that are fitted, and how far the nearest one wins, in spacings
_REACH, _NEAR = 2.0, 0.2


class Turn:
    """``[g f](p) = rho(h) f(g^-1 p)`` for one matrix g, on any sampling, by a linear fit to the samples around g^-1 p.

    Exact for constants; the error of smooth fields falls with the square of the spacing. Frames are carried by parallel
    transport, so that fields of any spin turn as what they are.

    Args:
        sphere: the sampling.
        matrix: of a rotation ``[3, 3]``.
    """

    def __init__(self, sphere: Sphere, matrix: Tensor) -> None:
        self.sphere = sphere
        frames = sphere.frames().reshape(-1, 3, 3)
        # [g f](p) in the frame F(p) is f(g^-1 p) in the frame g^-1 F(p)
        back = matrix.to(frames).mT @ frames
        near = sphere_neighbours(back, frames, sphere.flat_weights(), _REACH * sphere.spacing)
        if near.transport is None or near.weight is None:
            raise ValueError(f"{sphere!r}: neighbours {near}; expected transports and weights")
        self.target, self.source, self.transport = near.target, near.source, near.transport
        offset = near.offset / sphere.spacing
        square = offset.square().sum(-1)
        weight = near.weight * (1 - square.sqrt() / _REACH).clamp_min(0).square() / (square + _NEAR**2)
        count = len(frames)
        basis = torch.cat([torch.ones_like(offset[:, :1]), offset], 1)
        gram = offset.new_zeros(count, 3, 3)
        gram.index_add_(0, self.target, weight[:, None, None] * basis[:, :, None] * basis[:, None, :])
        ridge = 1e-9 * gram[:, 0, 0, None, None] * torch.eye(3, dtype=gram.dtype)
        first = torch.linalg.solve(gram + ridge, torch.eye(3, dtype=gram.dtype)[:, :1].expand(count, 3, 1))[..., 0]
        share = weight * (basis * first[self.target]).sum(-1)
        total = share.new_zeros(count).index_add(0, self.target, share)
        self.share = share / total[self.target]
        order = square.argsort(descending=True, stable=True)
        self.nearest = torch.empty(count, dtype=torch.int64)
        self.nearest[self.target[order]] = order  # the last one written is the nearest

    def __call__(self, x: Tensor, type: FieldType) -> Tensor:
        """Turn fields ``[..., type.size, *shape]`` of SO2; what is not known is NaN, and so is what lies nearest to it.

        Raises:
            ValueError: a map of another length.
        """
        lead = self.sphere.check_map(x)
        flat = x.reshape(-1, lead[-1], self.sphere.num_points)
        known = torch.isfinite(flat)
        near = flat[..., self.source[self.nearest]]
        moved = _carry(near, type, self.transport[self.nearest])
        edges = _carry(torch.where(known, flat, 0)[..., self.source], type, self.transport)
        smooth = torch.zeros_like(flat).index_add(2, self.target, edges * self.share.to(x))
        whole = torch.ones_like(known)
        if not bool(known.all()):
            lost = (~known)[..., self.source].to(x.dtype)
            whole = torch.zeros_like(flat).index_add(2, self.target, lost) == 0
            near_known = known[..., self.source[self.nearest]]
            moved = torch.where(near_known, moved, torch.nan)
        return torch.where(whole, smooth, moved).reshape(x.shape)

    def labels(self, y: Tensor) -> Tensor:
        """Move labels ``[..., *shape]``: each place takes that of the nearest sample."""
        self.sphere.check_map(y)
        flat = y.reshape(-1, self.sphere.num_points)
        return flat[:, self.source[self.nearest]].reshape(y.shape)


def _carry(x: Tensor, type: FieldType, angle: Tensor) -> Tensor:
    """Components ``[B, C, E]`` in frames that are turned by angles ``[E]``."""
    if type.is_trivial:
        return x
    return torch.einsum("ecd,bde->bce", type.matrix(angle).to(x), x)
