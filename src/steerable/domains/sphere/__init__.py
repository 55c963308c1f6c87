"""The sphere: samplings, their weights and frames, and which points are near which."""

from steerable.domains.sphere.gauss import GaussSphere as GaussSphere
from steerable.domains.sphere.nodes import SpherePoints as SpherePoints
from steerable.domains.sphere.rings import Rings as Rings
from steerable.domains.sphere.rings import RingSphere as RingSphere
from steerable.domains.sphere.sphere import Sphere as Sphere
