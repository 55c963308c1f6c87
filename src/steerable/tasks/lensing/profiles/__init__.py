"""Deflection angles and surface brightness, elementwise on coordinates in arcsec.

Every function broadcasts its parameters against the coordinates, is differentiable in all of them and works under
`torch.func` transforms. `LENSES` and `SOURCES` list them under lenstronomy's names.
"""

from __future__ import annotations

from steerable.tasks.lensing.profiles.isothermal import sie_deflection
from steerable.tasks.lensing.profiles.nfw import nfw_ratio
from steerable.tasks.lensing.profiles.point_mass import point_ratio
from steerable.tasks.lensing.profiles.power_law import epl_deflection
from steerable.tasks.lensing.profiles.pseudo_jaffe import pseudo_jaffe_ratio
from steerable.tasks.lensing.profiles.sersic import sersic
from steerable.tasks.lensing.profiles.shear import shear_deflection
from steerable.tasks.lensing.profiles.table import LENSES, SOURCES, Profile

__all__ = [
    "LENSES",
    "SOURCES",
    "Profile",
    "epl_deflection",
    "nfw_ratio",
    "point_ratio",
    "pseudo_jaffe_ratio",
    "sersic",
    "shear_deflection",
    "sie_deflection",
]
