"""`steerable check` of networks of volumes, of point clouds and of the sphere."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.data.errors import InputError
from steerable.groups.group import Group


class _OnCloud(nn.Module):
    """A network of features, positions and batch as a layer of a cloud, which is how the law asks."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, points: object) -> Tensor:
        return self.model(x, points.positions, points.batch)  # type: ignore[attr-defined]


def check_space(model: nn.Module, domain: str, channels: int, side: int, group: Group | None) -> bool:
    """Print how equivariant a network is on random input, in float64, and return whether it is.

    Args:
        model: from `steerable.create_model`, or of a run.
        domain: volumes, points or sphere.
        channels: plain channels of its input.
        side: of the volumes.
        group: the symmetry to ask about; None: that of its layers.

    Raises:
        InputError: no group is known, or the network does not take the input.
    """
    from steerable.domains.points import Points
    from steerable.laws import check, point_errors
    from steerable.laws.setting import find_group
    from steerable.nn import PointConv

    model = model.double().eval()
    generator = torch.Generator().manual_seed(0)
    if domain == "sphere":
        return _check_sphere(model, channels, generator)
    acting = group or find_group(model)
    try:
        if domain == "volumes":
            x = torch.randn(1, channels, side, side, side, dtype=torch.float64, generator=generator)
            report = check(model, x, group=group)
            print(report)
            return report.ok
        if acting is None or acting.order == 1:
            name = type(model).__name__
            raise InputError(f"check: the symmetry of {name} is {acting}; expected a group. Say --under SO3.")
        layers = [m for m in model.modules() if isinstance(m, PointConv)]
        n, reach = (layers[0].dimension, layers[0].cutoff) if layers else (3, 1.0)
        positions = torch.rand(40, n, dtype=torch.float64, generator=generator) * 2 * reach
        points = Points(positions, torch.arange(40) // 20)
        x = torch.randn(40, channels, dtype=torch.float64, generator=generator)
        with torch.no_grad():
            out = model(x, points.positions, points.batch).shape[1]
        trivial = acting.trivial
        errors = point_errors(_OnCloud(model), x, points, lambda p: p, channels * trivial, out * trivial)
    except (ValueError, RuntimeError, TypeError) as e:
        raise InputError(f"check: {domain} of {channels} channels: {str(e).splitlines()[0]}") from None
    print(f"{type(model).__name__} under {acting.name}, two clouds of 20 points, float64")
    for name, error in errors.items():
        print(f"{name:<90} {error:8.1e}  {'exact' if error <= 1e-10 else 'NOT EXACT'}")
    return max(errors.values()) <= 1e-10


def _check_sphere(model: nn.Module, channels: int, generator: torch.Generator) -> bool:
    from steerable.laws import check
    from steerable.laws.sphere import sphere_of

    sphere = sphere_of(model)
    if sphere is None:
        raise InputError(f"check: {type(model).__name__} has no sampling of the sphere; expected one of its layers to.")
    x = torch.randn(1, channels, *sphere.shape, dtype=torch.float64, generator=generator)
    try:
        report = check(model, x)
    except (ValueError, RuntimeError, TypeError) as e:
        raise InputError(f"check: fields of {channels} channels on {sphere!r}: {str(e).splitlines()[0]}") from None
    print(report)
    return report.ok and not report.remarks
