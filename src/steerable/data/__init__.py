"""Readers and containers that every task shares. Values are checked here, once, and nowhere else."""

from __future__ import annotations

from steerable.data.cfhtls import cfhtls as cfhtls
from steerable.data.clouds import Clouds as Clouds
from steerable.data.digits import rotated_digits as rotated_digits
from steerable.data.errors import InputError as InputError
from steerable.data.folder import npz_folder as npz_folder
from steerable.data.frdeep import frdeep as frdeep
from steerable.data.image_file import iterate_images as iterate_images
from steerable.data.image_file import read_image_file as read_image_file
from steerable.data.image_folder import image_folder as image_folder
from steerable.data.latlon_grid import LatLonGrid as LatLonGrid
from steerable.data.mask_folder import mask_folder as mask_folder
from steerable.data.mrc import read_mrc as read_mrc
from steerable.data.parts import Splits as Splits
from steerable.data.point_file import read_points as read_points
from steerable.data.point_folder import point_folder as point_folder
from steerable.data.recipe import Recipe as Recipe
from steerable.data.resize import bin_pixels as bin_pixels
from steerable.data.resize import centre as centre
from steerable.data.samples import Samples as Samples
from steerable.data.sphere_file import read_maps as read_maps
from steerable.data.splits import stratified_split as stratified_split
from steerable.data.target import Regions as Regions
from steerable.data.target import Target as Target
from steerable.data.volume_folder import volume_folder as volume_folder
