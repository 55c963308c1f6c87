"""The icosahedral CNN: gauge equivariant convolutions on a divided icosahedron."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.sphere import IcosahedralSphere, Sphere, parse_sphere
from steerable.fields.type import FieldType
from steerable.groups import C, Group
from steerable.models.hidden import hidden_fields, invariants
from steerable.models.plain_cnn import count_parameters, match_width
from steerable.models.volume import read


class IcoCNN(nn.Module):
    """Convolutions over hexagons with transport, means over hexagons from level to level, an invariant head.

    Exact under the 60 rotations of the icosahedron (with ``group="D6"`` also its reflections); under others only as
    far as the features vary slowly.

    Args:
        in_channels: scalar channels.
        num_classes: number of logits.
        group: ``"C6"`` (regular fields and ReLU), ``"D6"``, or ``"C1"``: free kernels without transport.
        level: of the input, which has ``10 4^level + 2`` vertices; default 3, or that of ``sphere``.
        widths: regular fields of each convolution.
        pool_after: convolutions (from 1) that are followed by a step to the level below.
        corners: ``"zero"`` or ``"invariant"``, see :class:`steerable.nn.IcoConv`.
        image: height and width of equirectangular pictures, if these are the input.
        hidden: width of the dense layer on the invariants.
        sphere: the sampling of the input, or its name such as ``"icosahedral(3)"``, in place of a level.

    Raises:
        ValueError: for more steps down than levels, another sampling, or another group.

    Source: Cohen, Weiler, Kicanaoglu and Welling, arXiv 1902.04615, section 5.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        group: str | Group = "C6",
        level: int | None = None,
        widths: Sequence[int] = (8, 16, 16, 24),
        pool_after: Sequence[int] = (1, 3),
        corners: snn.IcoCorners = "zero",
        image: tuple[int, int] | None = None,
        hidden: int = 32,
        sphere: str | Sphere | None = None,
    ) -> None:
        super().__init__()
        group, level = read(group), level_of(level, sphere)
        steps = sum(1 <= i <= len(widths) for i in pool_after)
        if level - steps < 1:
            raise ValueError(
                f"{type(self).__name__}: {steps} steps down from level {level}; expected to end at level 1 or above, "
                f"for level 0 has no hexagon. Take fewer of pool_after={tuple(pool_after)}, or level={steps + 1}"
            )
        here = IcosahedralSphere(level)
        self.project = None if image is None else snn.IcoProject(here, *image)
        current: FieldType = in_channels * group.trivial
        layers: list[nn.Module] = []
        for i, width in enumerate(widths, 1):
            wide = hidden_fields(group, width)
            layers += [snn.IcoConv(current, wide, here, corners=corners, bias=False), snn.BatchNorm(wide)]
            layers.append(snn.ReLU(wide))
            if i in pool_after:
                layers.append(snn.IcoPool(wide, here, corners=corners))
                here = here.coarser()
            current = wide
        self.features = snn.IcoSequential(*layers, pool := invariants(current))
        self.head = nn.Sequential(
            nn.Linear(pool.out_type.size, hidden), nn.BatchNorm1d(hidden), nn.ELU(), nn.Linear(hidden, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, V]``, or pictures ``[B, in_channels, *image]``, to logits ``[B, num_classes]``."""
        if self.project is not None:
            x = self.project(x)
        return self.head(self.features(x).mean(2))


class IcoCNNPlain(nn.Module):
    """The graph of :class:`IcoCNN` without transport and with free kernels: held by the charts, as plain networks are.

    Args:
        in_channels, num_classes, group, level, widths, pool_after, corners, image, hidden, sphere: those of its twin.
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.

    Raises:
        ValueError: for another ``match``, or what the twin refuses.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        group: str | Group = "C6",
        level: int | None = None,
        widths: Sequence[int] = (8, 16, 16, 24),
        pool_after: Sequence[int] = (1, 3),
        corners: snn.IcoCorners = "zero",
        image: tuple[int, int] | None = None,
        hidden: int = 32,
        match: str = "params",
        sphere: str | Sphere | None = None,
    ) -> None:
        super().__init__()
        if match not in ("params", "compute"):
            raise ValueError(f"{type(self).__name__}: unknown match {match!r}; expected 'params' or 'compute'")

        def build(widths: Sequence[int], of: Group, level: int, image: tuple[int, int] | None) -> IcoCNN:
            return IcoCNN(in_channels, num_classes, of, level, widths, pool_after, corners, image, hidden)

        order = read(group).order or 1
        factor = 1.0
        if match == "params":  # parameters do not depend on the level: count them on the smallest one
            small = 1 + len(pool_after)
            target = count_parameters(build(widths, read(group), small, None))
            factor = match_width(lambda f: build(_scaled(widths, order * f), C(1), small, None), target)
        self.net = build(_scaled(widths, order * factor), C(1), level_of(level, sphere), image)

    def forward(self, x: Tensor) -> Tensor:
        """As :class:`IcoCNN`."""
        return self.net(x)


def level_of(level: int | None, sphere: str | Sphere | None) -> int:
    """The level of the icosahedron that is given, or that of a sampling, given or named; 3 by default.

    Raises:
        ValueError: for another sampling, or another level than that of the sampling.
    """
    if sphere is None:
        return 3 if level is None else level
    found = parse_sphere(sphere)
    if not isinstance(found, IcosahedralSphere) or level not in (None, found.level):
        raise ValueError(
            f"an icosahedral network on {found!r} with level={level}; expected sphere='icosahedral(level)', or a level "
            "alone"
        )
    return found.level


def _scaled(widths: Sequence[int], factor: float) -> list[int]:
    return [max(1, round(w * factor)) for w in widths]
