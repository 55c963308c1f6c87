"""Rotation-invariant convolution of points: a kernel of low rank in eight invariants of each pair."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from steerable.aggregate.scatter import point_conv
from steerable.domains.points import Neighbourhood
from steerable.groups import O3, SO3, Group
from steerable.groups.naming import parse_group
from steerable.groups.spherical import unit
from steerable.nn.mlp import mlp
from steerable.nn.module import EquivariantModule
from steerable.nn.point_conv import check_neighbourhood

#: numbers of a pair without and with its handedness
INVARIANTS = {O3(): 8, SO3(): 9}


class SparseSO3Conv(EquivariantModule):
    r"""``y_i = W vec(mean_j kappa(z_ij) (x) f_j)`` with invariants z of each pair: exactly rotation-invariant.

    The kernel is an implicit one of low rank: a network from the invariants of a pair to `rank` numbers, then one
    matrix for all pairs. So no pair ever has a matrix of its own.

    Args:
        c_in: channels of the features ``[M, c_in]``.
        c_out: channels of the output.
        rank: numbers that the network gives for a pair.
        hidden: channels of its hidden layer.
        group: O3, or SO3: then the pair has a ninth number, which changes its sign in a mirror.
        bias: learned bias.

    Raises:
        ValueError: another group, or numbers below 1.

    Source: You et al., "PRIN/SPRIN: On Extracting Point-wise Rotation Invariant Features", IEEE TPAMI 44(12), 2022,
    arXiv 2102.12093, section 4. There the sum over neighbours, here their mean, so that small clouds have no other
    scale.
    """

    takes_neighbourhood = True

    def __init__(
        self, c_in: int, c_out: int, rank: int = 16, hidden: int = 32, group: str | Group = "O3", bias: bool = True
    ) -> None:
        group = parse_group(group) if isinstance(group, str) else group
        if group not in INVARIANTS:
            raise ValueError(f"SparseSO3Conv: the group is {group}; expected O3, or SO3 to tell left from right.")
        for name, given in (("c_in", c_in), ("c_out", c_out), ("rank", rank), ("hidden", hidden)):
            if given < 1:
                raise ValueError(f"SparseSO3Conv: {name} is {given}; expected at least 1.")
        one = group.trivial
        super().__init__(c_in * one, c_out * one)
        self.rank = rank
        self.kernel = mlp(INVARIANTS[group] * one, hidden * one, rank * one, function="relu")
        self.weight = nn.Parameter(torch.randn(c_out, c_in, rank) * (2 / (c_in * rank)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None

    def forward(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """Map features ``[M, c_in]`` to ``[N, c_out]``; the attributes of the pairs are from :func:`pair_invariants`.

        Raises:
            TypeError: for no neighbourhood.
            ValueError: for other points, or attributes that are no invariants.
        """
        self.check_input(x, 0)
        check_neighbourhood(self, x, g, g.dimension)
        z, wanted = g.attributes, INVARIANTS[self.in_type.group]
        if z is None or z.shape[1:] != (wanted,):
            given = None if z is None else list(z.shape)
            raise ValueError(
                f"SparseSO3Conv: attributes are {given}; expected [{g.num_edges}, {wanted}]. Say "
                f"pair_invariants(g, targets, sources{', handed=True' if wanted == 9 else ''})"
            )
        values = self.kernel(z) * shares(g)[:, None]
        y = point_conv(values, x, self.weight, g.target, g.source, g.num_targets)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Channels and rank."""
        return f"{self.in_type.size} -> {self.out_type.size}, {self.in_type.group}, rank={self.rank}"


def shares(g: Neighbourhood) -> Tensor:
    """One over the number of neighbours of the target of each pair ``[E]``."""
    count = g.offset.new_zeros(g.num_targets).index_add(0, g.target, torch.ones_like(g.offset[:, 0]))
    return 1 / count.clamp_min(1).index_select(0, g.target)


def pair_invariants(g: Neighbourhood, targets: Tensor, sources: Tensor, handed: bool = False) -> Neighbourhood:
    """Return the neighbourhood with the invariants of each pair as its attributes ``[E, 8]``.

    With the mean m of the neighbours of i: the angle between x_i and x_j over pi, ``|x_j|``, the sides ``|m - x_j|``,
    ``|x_j - x_i|``, ``|x_i - m|`` of the triangle (m, x_j, x_i), and the cosines of its angles at m, x_j, x_i. They are
    invariant under rotations about the origin, so centre each cloud first. Where points coincide, cosines, angles and
    their gradients are 0, never NaN.

    Args:
        g: pairs.
        targets: places ``[N, n]`` of the points that receive.
        sources: places ``[M, n]`` of those that send.
        handed: a ninth number, the volume spanned by the directions of x_i, x_j - x_i and m - x_i (0 in the plane),
            which changes its sign in a mirror.

    Raises:
        ValueError: places of other points.
    """
    for name, given, count in (("targets", targets, g.num_targets), ("sources", sources, g.num_sources)):
        if given.shape != (count, g.dimension):
            raise ValueError(
                f"pair_invariants: {name} are {list(given.shape)}; expected {[count, g.dimension]}, as its pairs."
            )
    if g.dimension == 2:  # the plane in space
        targets, sources = (nn.functional.pad(t, (0, 1)) for t in (targets, sources))
    xi, xj = targets.index_select(0, g.target), sources.index_select(0, g.source)
    mean = torch.zeros_like(targets).index_add(0, g.target, xj * shares(g).to(xj)[:, None])
    m = mean.index_select(0, g.target)
    a, b, c = m - xj, xj - xi, xi - m
    ua, ub, uc, ui, uj = (unit(v) for v in (a, b, c, xi, xj))
    columns = [_angle(ui, uj) / torch.pi, _length(xj), _length(a), _length(b), _length(c)]
    columns += [-(uc * ua).sum(-1), -(ua * ub).sum(-1), -(ub * uc).sum(-1)]
    if handed:
        columns.append((torch.linalg.cross(ui, ub) * -uc).sum(-1))
    return replace(g, attributes=torch.stack(columns, 1))


def _length(v: Tensor) -> Tensor:
    square = v.square().sum(-1)
    zero = square == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, square).sqrt())


def _angle(u: Tensor, v: Tensor) -> Tensor:
    """Between unit vectors, or 0 where one of them is none."""
    none = (u == 0).all(-1) | (v == 0).all(-1)
    return torch.atan2(_length(torch.linalg.cross(u, v)), torch.where(none, 1.0, (u * v).sum(-1)))
