"""Layers: one family a file."""

from steerable.nn.bake import bake as bake
from steerable.nn.conv import Conv2d as Conv2d
from steerable.nn.conv import ConvTranspose2d as ConvTranspose2d
from steerable.nn.exactness import ExactnessWarning as ExactnessWarning
from steerable.nn.init import delta_orthogonal_ as delta_orthogonal_
from steerable.nn.init import generalised_he_ as generalised_he_
from steerable.nn.init import project_filter_ as project_filter_
from steerable.nn.linear import Linear as Linear
from steerable.nn.module import EquivariantModule as EquivariantModule
from steerable.nn.sequential import Branches as Branches
from steerable.nn.sequential import Plain as Plain
from steerable.nn.sequential import Residual as Residual
from steerable.nn.sequential import Sequential as Sequential
