"""The steerable kernel and its fillings."""

from steerable.kernels.bandlimit import Bandlimit as Bandlimit
from steerable.kernels.complex_linear import ComplexKernel as ComplexKernel
from steerable.kernels.complex_linear import ComplexLinear as ComplexLinear
from steerable.kernels.filters import Filters as Filters
from steerable.kernels.harmonic import HarmonicKernel as HarmonicKernel
from steerable.kernels.hexagons import Hexagons as Hexagons
from steerable.kernels.kernel import SteerableKernel as SteerableKernel
from steerable.kernels.pixels import Pixels as Pixels
from steerable.kernels.pixels import Point as Point
from steerable.kernels.rings import GaussianRings as GaussianRings
from steerable.kernels.zernike import Zernike as Zernike
