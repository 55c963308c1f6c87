"""Where fields live."""

from steerable.domains.domain import Domain as Domain
from steerable.domains.grid import PixelGrid as PixelGrid
from steerable.domains.warp import Axis as Axis
from steerable.domains.warp import Warp as Warp
