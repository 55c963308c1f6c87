from __future__ import annotations

import pytest
import torch

from steerable.tasks.lensing.scene import MACRO, Scene, smooth_scene


@pytest.fixture
def plain_scene():
    """A function that builds one smooth scene (B = 1) from named macro parameters."""

    def build(**values: float) -> Scene:
        macro = dict.fromkeys(MACRO, 0.0)
        macro.update(theta_e=1.0, source_radius=0.15, sersic_index=1.0, amplitude=1.0)
        macro.update(values)
        return smooth_scene(torch.tensor([list(macro.values())], dtype=torch.float64))

    return build
