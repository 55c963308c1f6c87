"""Convolution in local frames: any function of the direction of a neighbour, as spherical harmonics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable.aggregate.scatter import point_conv
from steerable.domains.points import Neighbourhood
from steerable.groups import SO3
from steerable.groups.spherical import spherical_harmonics
from steerable.kernels.rings import GaussianRings
from steerable.nn.module import EquivariantModule
from steerable.nn.point_conv import check_neighbourhood


class LocalFrameSphericalConv(EquivariantModule):
    r"""``y_i = W_0 x_i + sum_j a_ij sum_lm Y_lm(u_ij) W_lm x_j + b`` with directions u as the target sees them.

    Offsets are those of :func:`steerable.domains.points.frames.in_frames`, so the features are invariants: exactly
    unchanged by rotations and translations, and changed by a mirror. Harmonics are scaled so that ``Y_00 = 1``: with
    ``lmax=0`` it is message passing, bit for bit. Where a target has no frame its offsets are 0: only degree 0 is left,
    shells are read at distance 0, and what tells near from far is the weight of the pairs. It is :class:`PointConv` of
    the trivial group in local frames, with the same contraction.

    Args:
        c_in: channels of the features ``[M, c_in]``.
        c_out: channels of the output.
        lmax: largest degree.
        radial: radii of Gaussian shells, in the units of the offsets, each with all degrees; None: the distance does
            not count.
        root: whether the point itself is seen, through ``W_0``; it must then be among the sources, in the same order.
        bias: learned bias.
        neighbours: how many a point has, about; scales the initial weights.
        classes: number of kinds of pairs, each with weights of its own; above 1 ``g.attributes [E, classes]`` says how
            much a pair is of each (one-hot: which it is).

    Raises:
        ValueError: a negative degree, fewer channels or classes than 1, radii that are no lengths.

    Source: Igashov, Pavlichenko and Grudinin, Machine Learning: Science and Technology 2, 2021, arXiv 2011.07980.
    """

    takes_neighbourhood = True

    def __init__(
        self,
        c_in: int,
        c_out: int,
        lmax: int,
        radial: Sequence[float] | None = None,
        root: bool = True,
        bias: bool = True,
        neighbours: float = 16.0,
        classes: int = 1,
    ) -> None:
        if lmax < 0 or min(c_in, c_out, classes) < 1 or not neighbours > 0:
            raise ValueError(
                f"LocalFrameSphericalConv: {c_in} to {c_out} channels, {classes} classes of pairs, lmax {lmax}, "
                f"{neighbours} neighbours; expected channels and classes of at least 1, a degree of at least 0, a "
                "positive number of neighbours."
            )
        if radial is not None and (not len(radial) or not all(r >= 0 and math.isfinite(r) for r in radial)):
            raise ValueError(f"LocalFrameSphericalConv: radial is {radial!r}; expected radii of shells, or None.")
        one = SO3().trivial
        super().__init__(c_in * one, c_out * one)
        self.lmax, self.shells = lmax, None if radial is None else shells(radial, lmax)
        count = (lmax + 1) ** 2 * (1 if radial is None else len(radial))
        self.classes = classes
        self.weight = nn.Parameter(torch.randn(c_out, c_in, count * classes) / math.sqrt(c_in * count * neighbours))
        self.root = nn.Parameter(torch.randn(c_out, c_in) / math.sqrt(c_in)) if root else None
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None

    def values(self, offset: Tensor) -> Tensor:
        """The functions ``[E, K]`` of offsets ``[E, 3]`` in the frames of their targets."""
        if self.shells is not None:
            return self.shells.values(offset) * math.sqrt(4 * math.pi)
        one = torch.ones_like(offset[:, :1])
        if self.lmax == 0:
            return one
        return torch.cat([one, spherical_harmonics(offset, range(1, self.lmax + 1)) * math.sqrt(4 * math.pi)], 1)

    def forward(self, x: Tensor, g: Neighbourhood) -> Tensor:
        """Map features ``[M, c_in]`` to ``[N, c_out]``; ``g.weight`` are the a_ij.

        Raises:
            TypeError: for no neighbourhood.
            ValueError: for other points, targets that are not the sources while the point itself is to be seen, or
                pairs without their classes.
        """
        self.check_input(x, 0)
        check_neighbourhood(self, x, g, 3)
        values = self.values(g.offset)
        if self.classes > 1:
            values = (values[:, :, None] * self._kinds(g)[:, None, :].to(values)).flatten(1)
        values = values if g.weight is None else values * g.weight[:, None].to(values)
        y = point_conv(values, x, self.weight, g.target, g.source, g.num_targets)
        if self.root is not None:
            if g.num_targets != len(x):
                raise ValueError(
                    f"LocalFrameSphericalConv: {g.num_targets} targets and {len(x)} sources; expected the same points. "
                    "Say root=False"
                )
            y = y + x @ self.root.T
        return y if self.bias is None else y + self.bias

    def _kinds(self, g: Neighbourhood) -> Tensor:
        found = None if g.attributes is None else tuple(g.attributes.shape)
        if g.attributes is None or found != (g.num_edges, self.classes):
            raise ValueError(
                f"LocalFrameSphericalConv: attributes of the pairs are {found}; expected "
                f"{(g.num_edges, self.classes)}: how much each pair is of each class. See dataclasses.replace."
            )
        return g.attributes

    def extra_repr(self) -> str:
        """Channels, degree, shells, classes of pairs."""
        radial = "" if self.shells is None else f", radial={self.shells.radii}"
        classes = "" if self.classes == 1 else f", classes={self.classes}"
        return f"{self.in_type.size} -> {self.out_type.size}, lmax={self.lmax}{radial}{classes}"


def shells(radii: Sequence[float], lmax: int) -> GaussianRings:
    """Shells as wide as the mean step between them (a single one as wide as its radius), each with all degrees."""
    found = sorted(float(r) for r in radii)
    width = (found[-1] - found[0]) / (len(found) - 1) if len(found) > 1 else found[0]
    return GaussianRings(tuple(found), (0.6 * (width or 1.0),) * len(found), (lmax,) * len(found), 3)
