"""The pseudo-Jaffe profile: an isothermal sphere with a core and a cut."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["pseudo_jaffe_ratio"]


def pseudo_jaffe_ratio(r2: Tensor, sigma0: Tensor, core: Tensor, cut: Tensor) -> Tensor:
    """Deflection over position of a sphere with core radius `core` and cut `cut`, 0 < core < cut, arcsec.

    alpha(R) / R = 2 sigma0 core cut / (cut - core) [1 / (core + sqrt(core^2 + R^2)) - the same of the cut]; the total
    mass, as a squared Einstein radius, is 2 sigma0 core cut.

    Source: A. Eliasdottir et al., arXiv:0710.5636, equations A3, A19 and A20.
    """
    inner, outer = core + torch.sqrt(r2 + core * core), cut + torch.sqrt(r2 + cut * cut)
    return (outer - inner) / (inner * outer) * (2.0 * sigma0 * core * cut / (cut - core))
