"""Volumes: made-up solids that are classified or found, and real density maps."""

from steerable.tasks.volumes.density import density_maps as density_maps
from steerable.tasks.volumes.solids import SOLIDS as SOLIDS
from steerable.tasks.volumes.synthetic import volumes_synthetic as volumes_synthetic
