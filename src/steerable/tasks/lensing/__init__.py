"""Strong gravitational lenses: what kind of dark matter bends the light?

The simulator (`settings`, `scene`, `profiles`, `render`), the residual that a network sees (`residual`), data sets
(`dataset`), the linear floor (`floor`), training (`train`), judging (`metrics`, `evaluate`) and the demo
(`demo`, `report`). Lengths are arcsec; row 0 of an image has the highest y.
"""

from __future__ import annotations

from steerable.tasks.lensing.dataset import LensData, load, observe, simulate, simulate_files
from steerable.tasks.lensing.floor import LinearFloor
from steerable.tasks.lensing.residual import BANNER
from steerable.tasks.lensing.scene import MACRO, SPLITS, Scene, draw_scenes
from steerable.tasks.lensing.settings import CLASSES, LensSettings

__all__ = [
    "BANNER",
    "CLASSES",
    "MACRO",
    "SPLITS",
    "LensData",
    "LensSettings",
    "LinearFloor",
    "Scene",
    "draw_scenes",
    "load",
    "observe",
    "simulate",
    "simulate_files",
]
