"""Molecules: energies of QM7 and of QM9, and the potential around each atom."""

from steerable.tasks.molecules.baseline import element_baseline as element_baseline
from steerable.tasks.molecules.potential_maps import potential_maps as potential_maps
from steerable.tasks.molecules.potential_maps import sampled as sampled
from steerable.tasks.molecules.qm7 import qm7 as qm7
from steerable.tasks.molecules.qm9 import PROPERTIES as PROPERTIES
from steerable.tasks.molecules.qm9 import qm9 as qm9
