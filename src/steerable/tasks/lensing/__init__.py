"""Strong gravitational lenses: what kind of dark matter bends the light?

The simulator (`settings`, `scene`, `profiles`, `render`), the residual that a network sees (`residual`), data sets
(`dataset`), the linear floor (`floor`), training (`train`), judging (`metrics`, `evaluate`) and the demo
(`demo`, `report`). Lengths are arcsec; row 0 of an image has the highest y.
"""

from __future__ import annotations

from steerable.tasks.lensing.cosmology import angular_diameter_distance, einstein_radius
from steerable.tasks.lensing.dataset import LensData, load, observe, simulate, simulate_files
from steerable.tasks.lensing.draw import SPLITS, draw_scenes
from steerable.tasks.lensing.drawn import Drawn
from steerable.tasks.lensing.floor import LinearFloor
from steerable.tasks.lensing.published import published_settings
from steerable.tasks.lensing.render import render
from steerable.tasks.lensing.residual import BANNER
from steerable.tasks.lensing.scene import MACRO, Part, Scene, smooth_scene
from steerable.tasks.lensing.settings import CLASSES, KINDS, LensSettings

__all__ = [
    "BANNER",
    "CLASSES",
    "KINDS",
    "MACRO",
    "SPLITS",
    "Drawn",
    "LensData",
    "LensSettings",
    "LinearFloor",
    "Part",
    "Scene",
    "angular_diameter_distance",
    "draw_scenes",
    "einstein_radius",
    "load",
    "observe",
    "published_settings",
    "render",
    "simulate",
    "simulate_files",
    "smooth_scene",
]
