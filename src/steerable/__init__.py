"""Steerable networks for data with symmetry: groups, field types, kernels, layers, laws, tasks."""

from steerable import fields as fields
from steerable import groups as groups
from steerable.fields import FieldType as FieldType
from steerable.groups import O2 as O2
from steerable.groups import SO2 as SO2
from steerable.groups import C as C
from steerable.groups import D as D
from steerable.groups import FiniteGroup as FiniteGroup
from steerable.groups import hom_basis as hom_basis
from steerable.groups import product as product

__version__ = "0.1.0"
