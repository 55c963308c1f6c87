"""The sphere: samplings, their weights and frames, and which points are near which."""

from steerable.domains.sphere.equiangular import EquiangularSphere as EquiangularSphere
from steerable.domains.sphere.gauss import GaussSphere as GaussSphere
from steerable.domains.sphere.healpix import HealpixSphere as HealpixSphere
from steerable.domains.sphere.icosahedral import IcosahedralSphere as IcosahedralSphere
from steerable.domains.sphere.latlon import LatLonSphere as LatLonSphere
from steerable.domains.sphere.memo import remembered as remembered
from steerable.domains.sphere.nodes import FibonacciSphere as FibonacciSphere
from steerable.domains.sphere.nodes import SpherePoints as SpherePoints
from steerable.domains.sphere.parse import parse_sphere as parse_sphere
from steerable.domains.sphere.pooling import Pooling as Pooling
from steerable.domains.sphere.regrid import Regrid as Regrid
from steerable.domains.sphere.rings import Rings as Rings
from steerable.domains.sphere.rings import RingSphere as RingSphere
from steerable.domains.sphere.sphere import Sphere as Sphere
from steerable.domains.sphere.sphere import degrees as degrees
