"""Transforms of the sphere and of the rotations: numbers in, numbers out."""

from steerable.domains.spectral.alm import from_alm as from_alm
from steerable.domains.spectral.alm import to_alm as to_alm
from steerable.domains.spectral.circles import Circles as Circles
from steerable.domains.spectral.legendre import Legendre as Legendre
from steerable.domains.spectral.rotation import rotate_coefficients as rotate_coefficients
from steerable.domains.spectral.scalar import ShtTables as ShtTables
from steerable.domains.spectral.scalar import isht as isht
from steerable.domains.spectral.scalar import sht as sht
from steerable.domains.spectral.scalar import sht_tables as sht_tables
from steerable.groups.profiles import profiles as profiles
