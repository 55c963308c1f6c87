"""Fields on the sphere at other places, by linear interpolation with transport of the frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from steerable.domains.points.neighbourhood import Neighbourhood
from steerable.domains.sphere.parse import parse_sphere
from steerable.domains.sphere.rings import RingSphere
from steerable.domains.sphere.sphere import Sphere
from steerable.fields.type import FieldType
from steerable.groups import SO2

# radius of the samples that are fitted, and how far the nearest one wins, in spacings; widest gap in spacings
_REACH, _NEAR, _GAP = 2.0, 0.2, 1.6


class LinearFit:
    """Fields at given places, by a linear fit to the samples around each.

    Exact for constants; the error of smooth fields falls with the square of the spacing. Frames are carried by parallel
    transport, so that fields of any spin stay what they are.

    Args:
        sphere: where the fields lie.
        near: pairs of a place and a sample at most :func:`fit_radius` apart, with weights and transports.

    Raises:
        ValueError: pairs without weights and transports.
    """

    def __init__(self, sphere: Sphere, near: Neighbourhood) -> None:
        if near.transport is None or near.weight is None:
            raise ValueError(f"{sphere!r}: neighbours {near}; expected transports and weights")
        self.sphere, self.count = sphere, near.num_targets
        self.target, self.source, self.transport = near.target, near.source, near.transport
        offset = near.offset * (_REACH / fit_radius(sphere))
        square = offset.square().sum(-1)
        weight = near.weight * (1 - square.sqrt() / _REACH).clamp_min(0).square() / (square + _NEAR**2)
        basis = torch.cat([torch.ones_like(offset[:, :1]), offset], 1)
        gram = offset.new_zeros(self.count, 3, 3)
        gram.index_add_(0, self.target, weight[:, None, None] * basis[:, :, None] * basis[:, None, :])
        ridge = (1e-9 * gram[:, 0, 0] + (gram[:, 0, 0] == 0))[:, None, None] * torch.eye(3, dtype=gram.dtype)
        unit = torch.eye(3, dtype=gram.dtype)[:, :1].expand(self.count, 3, 1)
        first = torch.linalg.solve(gram + ridge, unit)[..., 0]
        share = weight * (basis * first[self.target]).sum(-1)
        total = share.new_zeros(self.count).index_add(0, self.target, share)
        self.share = share / total[self.target]
        order = square.argsort(descending=True, stable=True)
        self.empty = torch.bincount(self.target, minlength=self.count) == 0
        pair = torch.full((self.count,), near.num_edges)  # where there is none
        pair[self.target[order]] = order  # the last one written is the nearest
        self.nearest = torch.cat([self.source, self.source.new_zeros(1)])[pair]
        self.nearest_turn = torch.cat([self.transport, self.transport.new_zeros(1)])[pair]

    def __call__(self, x: Tensor, type: FieldType) -> Tensor:
        """Fields ``[..., type.size, *sphere.shape]`` of SO2 as ``[..., type.size, count]``.

        What is not known is NaN, and so is what lies nearest to it, or has no sample near; of a vector both components,
        for in another frame each is made of both.

        Raises:
            ValueError: a map of another length, or of other channels.
        """
        lead = self.sphere.check_map(x)
        if not lead or lead[-1] != type.size or type.group != SO2():
            raise ValueError(
                f"{self.sphere!r}: fields {list(x.shape)} of the type '{type}' of {type.group.name}; expected "
                f"[..., {type.size}, {', '.join(map(str, self.sphere.shape))}], of a type of SO2"
            )
        flat = x.reshape(-1, lead[-1], self.sphere.num_points)
        known = _known_fields(torch.isfinite(flat), type)
        target, source, nearest = (v.to(x.device) for v in (self.target, self.source, self.nearest))
        edges = _carry(torch.where(known, flat, 0)[..., source], type, self.transport)
        zero = flat.new_zeros(*flat.shape[:2], self.count)
        found = zero.index_add(2, target, edges * self.share.to(x))
        if not bool(known.all()):
            whole = zero.index_add(2, target, (~known)[..., source].to(x.dtype)) == 0
            moved = _carry(flat[..., nearest], type, self.nearest_turn)
            found = torch.where(whole, found, torch.where(known[..., nearest], moved, torch.nan))
        if bool(self.empty.any()):
            found = found.masked_fill(self.empty.to(x.device), torch.nan)
        return found.reshape(*lead, self.count)

    def labels(self, y: Tensor) -> Tensor:
        """Labels ``[..., *sphere.shape]`` as ``[..., count]``, those of the nearest samples; -1 where none is near."""
        lead = self.sphere.check_map(y)
        found = y.reshape(*lead, self.sphere.num_points)[..., self.nearest.to(y.device)]
        if not bool(self.empty.any()):
            return found
        signed = found.to(torch.promote_types(found.dtype, torch.int8))  # of masks and bytes, too
        return signed.masked_fill(self.empty.to(y.device), -1)


class Regrid:
    """Fields from one sampling to another, as often as wanted; :meth:`Sphere.regrid` does it once.

    Args:
        sphere: where the fields lie, a sampling or its name.
        to: where they are wanted.

    Example:
        >>> regrid = Regrid(Sphere.gauss(16), Sphere.healpix(8))
        >>> regrid(torch.randn(2, 3, 16, 32), SO2().type("1x0 + 1x1")).shape
        torch.Size([2, 3, 768])
    """

    def __init__(self, sphere: Sphere | str, to: Sphere | str) -> None:
        self.sphere, self.to = sphere, to = parse_sphere(sphere), parse_sphere(to)
        self.fit = LinearFit(sphere, sphere.neighbours(fit_radius(sphere), to))

    def __call__(self, x: Tensor, type: FieldType | str) -> Tensor:
        """Fields ``[..., type.size, *sphere.shape]`` as ``[..., type.size, *to.shape]``; see :meth:`Sphere.regrid`."""
        found = self.fit(x, SO2().type(type) if isinstance(type, str) else type)
        return found.reshape(*found.shape[:-1], *self.to.shape)

    def labels(self, y: Tensor) -> Tensor:
        """Labels ``[..., *sphere.shape]`` as ``[..., *to.shape]``, of the nearest samples; -1 where none is near."""
        found = self.fit.labels(y)
        return found.reshape(*found.shape[:-1], *self.to.shape)


def fit_radius(sphere: Sphere) -> float:
    """How far samples are from a place to which they are fitted: two spacings, or more where columns are far apart."""
    spacing = sphere.spacing
    if isinstance(sphere, RingSphere):
        rings = sphere.rings
        step = float((np.sin(rings.colatitude) * 2 * np.pi / rings.count).max())
        spacing = max(spacing, step / _GAP, float(np.diff(rings.colatitude).max(initial=0)) / _GAP)
    return min(_REACH * spacing, 3.0)


def _known_fields(known: Tensor, type: FieldType) -> Tensor:
    """Where ``[B, C, N]`` all channels are known that a turn of the frame mixes into each."""
    if type.is_trivial or bool(known.all()):
        return known
    mixes = (type.matrix(torch.ones((), dtype=torch.float64)).abs() > 1e-9).to(torch.float32)
    return torch.einsum("cd,bdn->bcn", mixes.to(known.device), (~known).float()) == 0


def _carry(x: Tensor, type: FieldType, angle: Tensor) -> Tensor:
    """Components ``[B, C, E]`` in frames that are turned by angles ``[E]``."""
    if type.is_trivial:
        return x
    return torch.einsum("ecd,bde->bce", type.matrix(angle).to(x), x)
