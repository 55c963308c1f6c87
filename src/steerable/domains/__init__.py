"""Where fields live."""

from steerable.domains.domain import Domain as Domain
from steerable.domains.grid import PixelGrid as PixelGrid
