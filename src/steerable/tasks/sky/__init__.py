"""Fields on the sphere: the earth, the air, the sky, and rooms around a camera."""

from __future__ import annotations

from steerable.tasks.sky.basins import ocean_basins as ocean_basins
from steerable.tasks.sky.depth import panorama_depth as panorama_depth
from steerable.tasks.sky.globe import Globe as Globe
from steerable.tasks.sky.globe import draw_rotations as draw_rotations
from steerable.tasks.sky.heights import earth_elevation as earth_elevation
from steerable.tasks.sky.items import paint as paint
from steerable.tasks.sky.items import poses as poses
from steerable.tasks.sky.items import smoothed as smoothed
from steerable.tasks.sky.items import spherical_items as spherical_items
from steerable.tasks.sky.microwave import wmap as wmap
from steerable.tasks.sky.pictures import draw_field as draw_field
from steerable.tasks.sky.pictures import draw_map as draw_map
from steerable.tasks.sky.wind import wind as wind
