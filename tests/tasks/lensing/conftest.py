from __future__ import annotations

import pytest
import torch

from steerable.tasks.lensing.scene import MACRO, Scene


@pytest.fixture
def plain_scene():
    """A function that builds one smooth scene (B = 1) from named macro parameters."""

    def build(**values: float) -> Scene:
        macro = dict.fromkeys(MACRO, 0.0)
        macro.update(theta_e=1.0, source_radius=0.15, sersic_index=1.0, amplitude=1.0)
        macro.update(values)
        zero = torch.zeros(1, dtype=torch.float64)
        return Scene(
            label=torch.zeros(1, dtype=torch.int64),
            macro=torch.tensor([list(macro.values())], dtype=torch.float64),
            mass_inside=zero,
            halo_position=torch.zeros(1, 0, 2, dtype=torch.float64),
            halo_mass=torch.zeros(1, 0, dtype=torch.float64),
            vortex_angle=zero,
            vortex_half_length=zero,
            vortex_mass=zero,
            seed=torch.zeros(1, dtype=torch.int64),
        )

    return build
