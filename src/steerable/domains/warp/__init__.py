"""Canonical coordinates of abelian groups of plane maps."""

from steerable.domains.warp.axis import Axis as Axis
from steerable.domains.warp.warp import Warp as Warp
