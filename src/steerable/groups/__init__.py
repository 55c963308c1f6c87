"""Symmetry as algebra: groups, representations, intertwiners. No data and no networks."""

from steerable.groups.clebsch_gordan import clebsch_gordan as clebsch_gordan
from steerable.groups.cyclic import C as C
from steerable.groups.dihedral import D as D
from steerable.groups.finite import FiniteGroup as FiniteGroup
from steerable.groups.fourier import fourier_pair as fourier_pair
from steerable.groups.fourier import fourier_transform as fourier_transform
from steerable.groups.fourier import inverse_fourier_transform as inverse_fourier_transform
from steerable.groups.fourier import sampling_matrix as sampling_matrix
from steerable.groups.group import Group as Group
from steerable.groups.harmonics import harmonic_representation as harmonic_representation
from steerable.groups.hom import hom_basis as hom_basis
from steerable.groups.naming import parse_group as parse_group
from steerable.groups.o2 import O2 as O2
from steerable.groups.o3 import O3 as O3
from steerable.groups.product import product as product
from steerable.groups.representation import Representation as Representation
from steerable.groups.sampling import default_samples as default_samples
from steerable.groups.sampling import sample_points as sample_points
from steerable.groups.sampling import sampling_pair as sampling_pair
from steerable.groups.so2 import SO2 as SO2
from steerable.groups.so3 import SO3 as SO3
from steerable.groups.spherical import spherical_harmonics as spherical_harmonics
from steerable.groups.subgroup import Inclusion as Inclusion
from steerable.groups.wigner import wigner_d as wigner_d
