"""Steerable networks for data with symmetry: groups, field types, kernels, layers, laws, tasks."""

from __future__ import annotations

import importlib
from typing import Any

from steerable import domains as domains
from steerable import fields as fields
from steerable import groups as groups
from steerable import kernels as kernels
from steerable import nn as nn
from steerable.domains import Homogeneous as Homogeneous
from steerable.domains import Points as Points
from steerable.domains import Sphere as Sphere
from steerable.domains import degrees as degrees
from steerable.fields import FieldType as FieldType
from steerable.groups import O2 as O2
from steerable.groups import O3 as O3
from steerable.groups import SO2 as SO2
from steerable.groups import SO3 as SO3
from steerable.groups import C as C
from steerable.groups import D as D
from steerable.groups import FiniteGroup as FiniteGroup
from steerable.groups import antiprism as antiprism
from steerable.groups import cylinder as cylinder
from steerable.groups import dihedral_rotations as dihedral_rotations
from steerable.groups import full_icosahedral as full_icosahedral
from steerable.groups import full_octahedral as full_octahedral
from steerable.groups import full_tetrahedral as full_tetrahedral
from steerable.groups import hom_basis as hom_basis
from steerable.groups import icosahedral as icosahedral
from steerable.groups import octahedral as octahedral
from steerable.groups import prism as prism
from steerable.groups import product as product
from steerable.groups import tetrahedral as tetrahedral
from steerable.nn.bake import bake as bake

__version__ = "0.1.0"

_LAZY = ("analysis", "laws", "models")


def __getattr__(name: str) -> Any:
    """Load laws, models, analysis and the hub when first named."""
    if name in _LAZY:
        return importlib.import_module(f"steerable.{name}")
    if name in ("create_model", "list_models"):
        return getattr(importlib.import_module("steerable.models.registry"), name)
    if name == "from_pretrained":
        return importlib.import_module("steerable.run.hub").from_pretrained
    raise AttributeError(f"module 'steerable' has no attribute {name!r}")
