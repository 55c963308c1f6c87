"""Where fields live."""

from steerable.domains.domain import Domain as Domain
from steerable.domains.grid import PixelGrid as PixelGrid
from steerable.domains.homogeneous import Homogeneous as Homogeneous
from steerable.domains.homogeneous import HomType as HomType
from steerable.domains.lie import LieGroupGraph as LieGroupGraph
from steerable.domains.lie import se2_exp as se2_exp
from steerable.domains.lie import se2_log as se2_log
from steerable.domains.points import Neighbourhood as Neighbourhood
from steerable.domains.points import Points as Points
from steerable.domains.sphere import EquiangularSphere as EquiangularSphere
from steerable.domains.sphere import FibonacciSphere as FibonacciSphere
from steerable.domains.sphere import GaussSphere as GaussSphere
from steerable.domains.sphere import HealpixSphere as HealpixSphere
from steerable.domains.sphere import IcosahedralSphere as IcosahedralSphere
from steerable.domains.sphere import LatLonSphere as LatLonSphere
from steerable.domains.sphere import Pooling as Pooling
from steerable.domains.sphere import Regrid as Regrid
from steerable.domains.sphere import Rings as Rings
from steerable.domains.sphere import RingSphere as RingSphere
from steerable.domains.sphere import Sphere as Sphere
from steerable.domains.sphere import SpherePoints as SpherePoints
from steerable.domains.sphere import degrees as degrees
from steerable.domains.sphere import parse_sphere as parse_sphere
from steerable.domains.voxels import VoxelGrid as VoxelGrid
from steerable.domains.warp import Axis as Axis
from steerable.domains.warp import Warp as Warp
