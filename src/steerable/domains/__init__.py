"""Where fields live."""

from steerable.domains.domain import Domain as Domain
from steerable.domains.grid import PixelGrid as PixelGrid
from steerable.domains.homogeneous import Homogeneous as Homogeneous
from steerable.domains.homogeneous import HomType as HomType
from steerable.domains.points import Neighbourhood as Neighbourhood
from steerable.domains.points import Points as Points
from steerable.domains.voxels import VoxelGrid as VoxelGrid
from steerable.domains.warp import Axis as Axis
from steerable.domains.warp import Warp as Warp
