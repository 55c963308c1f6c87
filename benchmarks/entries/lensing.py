"""Simulated images against lenstronomy's, where it is installed (extra [lenstronomy])."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch

from benchmarks.harness import Timed
from benchmarks.timing import Thunk
from steerable.tasks.lensing import LensSettings, Part, Scene, draw_scenes

PIXELS, SCALE, FWHM, OURS, THEIRS = 64, 0.05, 0.087, 32, 2
"""Images of each side in a round; times are per call, so that the ratio is scaled by the numbers of images below."""


def scenes(kind: str) -> Scene:
    """32 scenes: smooth, with exactly 64 sub-halos, or with a vortex of 64 points."""
    settings = LensSettings()
    label = settings.classes.index("none" if kind == "smooth" else "vortex" if kind == "vortex" else "cdm")
    scene = draw_scenes(settings, label, range(OURS)).scene
    if kind != "halos":
        return scene
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(4, OURS, 64, generator=generator, dtype=torch.float64)
    cut = 0.02 + 0.1 * u[0]
    values = {"sigma0": 0.3 + u[1], "Ra": torch.full_like(cut, 1e-4), "Rs": cut}
    centre = {"center_x": 2.8 * (u[2] - 0.5), "center_y": 2.8 * (u[3] - 0.5)}
    return Scene((*scene.lens[:2], Part("PJAFFE", {**values, **centre})), scene.source)


def _ours(kind: str) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        scene = scenes(kind)

        def thunk() -> object:
            for _ in range(THEIRS):  # as many batches as the reference has images: the ratio is one of times per image
                scene.image(PIXELS, SCALE, FWHM, dtype=torch.float32)
            return None

        return thunk

    return run


def _theirs(kind: str, rebuilt: bool) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        from steerable.tasks.lensing.lenstronomy import their_image, their_model

        scene = scenes(kind)[:THEIRS]
        if rebuilt:
            return lambda: [their_image(scene, PIXELS, SCALE, FWHM) for _ in range(OURS)]
        calls = [their_model(one, PIXELS, SCALE, FWHM) for one in scene]
        return lambda: [model.image(*kwargs) for model, kwargs in calls for _ in range(OURS)]

    return run


def _entry(kind: str, what: str, goal: float | None) -> list[Timed]:
    """Two references: a model for each image (their number of lenses changes), and one that is built once."""
    return [
        Timed(
            f"lensing/{kind}{name}",
            f"image of a lens, {what}, 64x64, batch 32 / lenstronomy, {how}",
            goal=goal,
            setup=lambda: None,
            run=_ours(kind),
            reference=_theirs(kind, rebuilt),
        )
        for name, how, rebuilt in (("", "a model each", True), ("_once", "its model built once", False))
    ]


ENTRIES = (
    [
        *_entry("smooth", "SIE + shear + Sersic", 1 / 8),
        *_entry("halos", "the same + 64 pseudo-Jaffe sub-halos", 1 / 4),
        *_entry("vortex", "the same + 64 point masses", None),
    ]
    if find_spec("lenstronomy")
    else []
)
