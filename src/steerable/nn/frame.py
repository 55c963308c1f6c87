"""Frames that are learned from the vectors of a field: an element of the group that moves with the data."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.aggregate.paths import accumulation_dtype
from steerable.fields.type import FieldType
from steerable.groups.eager import full_precision
from steerable.groups.group import Group
from steerable.groups.product import moving_part
from steerable.nn.adaptive_plan import moving_group
from steerable.nn.functional.frames import DIMENSIONS, Frames, frames_of_vectors
from steerable.nn.linear import Linear
from steerable.nn.module import EquivariantModule, require_type

_VECTOR = {"SO2": "1", "O2": "1", "SO3": "1", "O3": "1o"}
# Where the components x1, x2, x3 stand in the irrep of degree 1, which is ordered as the harmonics are.
_CARTESIAN = {2: (0, 1), 3: (2, 0, 1)}


def require_frames(group: Group, layer: str) -> str:
    """Name of the group whose elements are frames. Raises ``ValueError`` for one that has none."""
    moving = moving_group(group)
    if moving.name not in DIMENSIONS:
        mend = "all elements are sampled, which is exact" if group.is_finite else "use a quadrature with many samples"
        raise ValueError(
            f"{layer}: frames exist for {', '.join(DIMENSIONS)} and their products with finite groups, got "
            f"{group.name}; leave the frame out ({mend})"
        )
    return moving.name


def frame_type(in_type: FieldType) -> FieldType:
    """The vectors (and the sign) that a frame is made of, as many as a type can give.

    SO(n): n - 1 vectors. O(n): one more for the handedness, or a field that reflections negate, or both. In a product
    with a finite group H the vectors are such that H leaves them alone; where there are too few, vectors that it
    negates, and a scalar that it negates, whose product it leaves alone.

    Raises:
        ValueError: for another group, or a type that holds too few vectors: those made of one vector are all parallel.
    """
    group = in_type.group
    kind = require_frames(group, "Frame")
    n, own = DIMENSIONS[kind], _VECTOR[kind]
    handed = kind.startswith("O")

    def copies(id: str) -> int:
        return sum(b.multiplicity * b.rep.irreps.count(id) for b in in_type.blocks)

    vector, sign = beside(group, own), beside(group, "0o")
    signs = copies(sign) if handed else 0
    wanted = n if handed and (copies(vector) >= n or not signs) else n - 1
    if copies(vector) >= wanted:
        t = wanted * group.irrep(vector)
        return t + group.irrep(sign) if signs else t
    most = n if handed else n - 1
    for other in signs_of(group):
        odd, scalar = beside(group, own, other), beside(group, "0e" if handed else "0", other)
        if copies(odd) >= most and copies(scalar):
            return most * group.irrep(odd) + group.irrep(scalar)
    more = " (or one fewer and a field 0o)" if handed else ""
    raise ValueError(
        f"Frame: a frame of {kind} takes {wanted} independent vectors (irrep {vector}){more}, got {copies(vector)} in "
        f"{in_type!r}; add fields, or give the frames: FourierAct(..., frame='given') and frame = Frame(other type)"
    )


def signs_of(group: Group) -> list[str]:
    """Irreps of the finite factor of a product that are signs; none of other groups."""
    parts = moving_part(group)
    if parts is None:
        return []
    finite = parts[1]
    return [i for i in finite.irrep_ids() if finite.irrep(i).size == 1 and not finite.irrep(i).is_trivial]


def beside(group: Group, id: str, other: str | None = None) -> str:
    """An irrep of the moving factor of a product beside one of the finite factor, by default the trivial one.

    Of a group that is no product it is the irrep itself.
    """
    parts = moving_part(group)
    if parts is None:
        return id
    finite = parts[1]
    other = next(i for i in finite.irrep_ids() if finite.irrep(i).is_trivial) if other is None else other
    return f"({id},{other})" if parts[2] == "first" else f"({other},{id})"


def frames_of_field(
    x: Tensor, weight: Tensor, vectors: int, kind: str, share: str, detach: bool, softness: float, twisted: bool = False
) -> Frames:
    """Frames of ``x [B, C, *S]``: linear combinations of its vectors, and Gram-Schmidt.

    Args:
        x: the field.
        weight: ``[F, C]`` the equivariant map to ``vectors`` vectors, and to a sign if one row is left.
        vectors: how many.
        kind: name of the group.
        share: ``"point"``, or ``"sample"`` for one frame of the means over all points.
        detach: hold the frames fixed in the backward pass.
        softness: see :class:`Frame`.
        twisted: the row that is left is a factor of every vector.
    """
    n = DIMENSIONS[kind]
    with full_precision(x):
        rows = x.movedim(1, -1).to(accumulation_dtype(x))
        w = weight.to(rows.dtype)
        if share == "sample":
            rows = rows.reshape(rows.shape[0], rows.shape[1:-1].numel(), rows.shape[-1])
            found, mean_square = (rows @ w.t()).mean(1), rows.square().mean((1, 2))
        else:
            found, mean_square = rows @ w.t(), rows.square().mean(-1)
        squares = w.square().sum(1)
        each = squares[: vectors * n].view(vectors, n).mean(1)
        signed = len(squares) > vectors * n and not twisted
        each = torch.cat([each, squares[vectors * n :] if signed else torch.zeros_like(each[:1])])
        energy = (mean_square[..., None] + 1e-12) * each
        v = found[..., : vectors * n].unflatten(-1, (vectors, n))
        v = torch.stack([v[..., i] for i in _CARTESIAN[n]], -1)
        if twisted:  # in units of its expected size, so that the energy of the vectors stays
            v = v * (found[..., -1] * ((mean_square + 1e-12) * squares[-1]).rsqrt())[..., None, None]
        sign = found[..., -1] if signed else None
        elements, weights = frames_of_vectors(v, sign, energy, kind, softness)
        return Frames(elements.detach(), weights.detach()) if detach else Frames(elements, weights)


class Frame(EquivariantModule):
    """An element q of the group from a field, ``q(g x) = g q(x)``: Gram-Schmidt on learned combinations of its vectors.

    SO(2): one vector. SO(3): two. O(2) and O(3): as many, and a handedness, from one more vector or from fields ``0o``
    that reflections negate. A product with a finite group, such as a cylinder group, has frames of its other factor,
    from vectors that the finite group leaves alone, or negates as it does some scalar. Where the vectors vanish or are
    parallel no continuous equivariant frame exists; the frame then says so by a weight between 0 and 1 that is itself
    invariant, and whoever uses the frame mixes by it.

    Args:
        in_type: type of ``x [B, C, ...]`` over SO2, O2, SO3, O3 or a product of these with a finite group; it must hold
            enough vectors.
        share: ``"point"``: a frame at each point; ``"sample"``: one for all points of a sample, of the mean field.
        detach: no gradient through the frame; the default lets the combinations learn.
        softness: the share of the squared lengths (of what Gram-Schmidt leaves, in units of what such combinations of
            white features have) at which the weight is one half.

    Raises:
        ValueError: for another group or too few vectors.

    Called with ``x`` it gives :class:`~steerable.nn.Frames`; with ``index [N]`` (the graph of each point) and
    ``count`` one frame a graph, spread to its points.
    """

    def __init__(self, in_type: FieldType, share: str = "point", detach: bool = False, softness: float = 1e-3) -> None:
        if share not in ("point", "sample"):
            raise ValueError(f"Frame: share must be 'point' or 'sample', got {share!r}")
        if not softness > 0:
            raise ValueError(f"Frame: softness must be positive, got {softness!r}")
        out_type = frame_type(require_type(in_type, "Frame"))
        super().__init__(in_type, out_type)
        self.share, self.detach, self.softness = share, detach, softness
        self.kind, self.vectors = require_frames(in_type.group, "Frame"), out_type.blocks[0].multiplicity
        self.twisted = len(out_type.blocks) > 1 and out_type.blocks[0].rep.irreps != (
            beside(in_type.group, _VECTOR[self.kind]),
        )
        self.linear = Linear(in_type, out_type, bias=False, init="delta")  # orthogonal: not parallel by chance

    @property
    def settings(self) -> tuple[int, str, str, bool, float, bool]:
        """What `frames_of_field` takes beside tensors."""
        return self.vectors, self.kind, self.share, self.detach, self.softness, self.twisted

    def forward(self, x: Tensor, index: Tensor | None = None, count: int | None = None) -> Frames:
        """Frames of ``x``; one a graph where the graph of each point is given."""
        self.check_input(x)
        weight = self.linear.filter()
        if index is None:
            return frames_of_field(x, weight, *self.settings)
        n = int(index.max()) + 1 if count is None else count
        # the mean field of a graph; its mean square, which sets the scale, is that of the mean field too
        total = x.new_zeros(n, x.shape[1]).index_add(0, index, x)
        size = x.new_zeros(n).index_add(0, index, torch.ones_like(x[:, 0])).clamp_min(1)
        return frames_of_field(total / size[:, None], weight, *self.settings).of(index)

    def extra_repr(self) -> str:
        """Type and options, for printing."""
        return f"{self.in_type!r}, share={self.share!r}, detach={self.detach}"

    def bake(self) -> nn.Module:
        """The same without a type."""
        return PlainFrame(self.linear.filter().detach().clone(), self.settings)


class PlainFrame(nn.Module):
    """A frame with a fixed matrix."""

    def __init__(self, weight: Tensor, settings: tuple[int, str, str, bool, float, bool]) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Frames:
        """Frames of ``x [B, C, ...]``."""
        return frames_of_field(x, self.weight, *self.settings)  # type: ignore[arg-type]
