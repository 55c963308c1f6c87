"""Panoramas on the sphere: reading, making, resampling, and how well a codec keeps them."""

from steerable.nn import ws_psnr as ws_psnr
from steerable.tasks.panoramas.dataset import panoramas as panoramas
from steerable.tasks.panoramas.pictures import PANORAMAS as PANORAMAS
from steerable.tasks.panoramas.pictures import panorama as panorama
from steerable.tasks.panoramas.pictures import synthetic_panorama as synthetic_panorama
from steerable.tasks.panoramas.pictures import turned_views as turned_views
from steerable.tasks.panoramas.resample import panorama_sphere as panorama_sphere
from steerable.tasks.panoramas.resample import resample as resample
from steerable.tasks.panoramas.score import bd_rate as bd_rate
