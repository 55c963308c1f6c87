"""Graphs on Lie groups: SE(2), SO(3) and the sphere with anisotropic metrics."""

from steerable.domains.lie.graph import LieGroupGraph as LieGroupGraph
from steerable.domains.lie.logarithm import se2_exp as se2_exp
from steerable.domains.lie.logarithm import se2_log as se2_log
