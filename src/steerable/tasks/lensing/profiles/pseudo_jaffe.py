"""The pseudo-Jaffe profile: an isothermal sphere with a core and a cut."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.aggregate.paths import runs_eagerly

__all__ = ["pseudo_jaffe_ratio"]


def pseudo_jaffe_ratio(dx2: Tensor, dy2: Tensor, sigma0: Tensor, core: Tensor, cut: Tensor) -> tuple[Tensor, Tensor]:
    """Deflection over position of a sphere with core radius `core` and cut `cut`, arcsec, as (shape, factor).

    alpha(R) / R = 2 sigma0 core cut / (cut - core) [1 / (core + sqrt(core^2 + R^2)) - the same of the cut]; the total
    mass, as a squared Einstein radius, is 2 sigma0 core cut.

    Args:
        dx2: squared horizontal distance.
        dy2: squared vertical distance; R^2 is the sum.
        sigma0: convergence scale.
        core: core radius.
        cut: where the slope falls from -2 to -4; not equal to `core`.

    Source: A. Eliasdottir et al., arXiv:0710.5636, equations A3, A19 and A20.
    """
    factor = 2.0 * sigma0 * core * cut / (cut - core)
    inner, outer = (dx2 + core * core) + dy2, (dx2 + cut * cut) + dy2
    if not (inner.requires_grad or outer.requires_grad) and runs_eagerly(inner, outer):
        # the same in two buffers: with many clumps the passes over memory are what costs
        return inner.sqrt_().add_(core).reciprocal_().sub_(outer.sqrt_().add_(cut).reciprocal_()), factor
    return 1.0 / (core + torch.sqrt(inner)) - 1.0 / (cut + torch.sqrt(outer)), factor
