"""The plain twin of a run: the same images and as many parameters, without symmetry. Every table needs its row."""

from __future__ import annotations

import dataclasses

import torch

from steerable.data.errors import InputError
from steerable.models import example_domain, list_models
from steerable.run.build import read_group
from steerable.run.config import Augment, FitConfig

TWINS = ("plain", "augmented")
# the symmetry that a network has by itself
OWN = {"steerable_cnn": "C8", "volume_cnn": "SO3", "volume_unet": "SO3", "point_cnn": "SO3", "sprin": "O3"}


def augmentation(group: str, domain: str = "images") -> Augment:
    """Return what shows a plain network the symmetry of `group`: any angle, and flips where the group has them.

    Nothing is interpolated where that can be had: turns of the grid for D4 and its subgroups with flips, and for the
    groups of the cube on volumes. Volumes are turned by Fourier shears otherwise: trilinear turns smooth the noise, so
    that a plain network learns from other volumes than it is tested on. A group of the plane turns volumes and points
    about the third axis.

    Args:
        group: its name.
        domain: images, volumes or points.
    """
    found = read_group(group)
    name = group if found is None else found.name
    if found is not None and found.dimension == 3:
        mirrors = bool((torch.linalg.det(found.action(found.generators)) < 0).any())
        if domain == "volumes":
            if name in ("O", "Oh"):
                return "cube_flips" if mirrors else "cube"
            return "rotate_fourier" if mirrors else "turn_fourier"
        return "rotate" if mirrors else "turn"
    if domain != "images":
        return "upright"
    if name in ("D(4)", "D4", "D(2)", "D2"):
        return "d4"
    return "rotate" if name.startswith(("D", "O")) else "turn"


def plain_twin(config: FitConfig, how: str) -> FitConfig:
    """Return the config of the plain twin.

    Args:
        config: of an equivariant network.
        how: ``plain``, or ``augmented``: with the turns and flips of the group as augmentation.

    Raises:
        InputError: a network without a twin.
    """
    model = config.model
    name = f"{model.name}_plain"
    if name not in list_models():
        raise InputError(
            f"--twin {how}: '{model.name}' has no plain twin; expected an equivariant network whose twin `steerable "
            "models` lists. Drop --twin."
        )
    options = dict(model.options)
    group = model.group or OWN.get(model.name, "D4")
    if model.name in OWN:  # matches its widths to those of the network of this group
        options["group"] = group
    elif "widths" in options:
        raise InputError(
            f"--twin {how}: model.options.widths {options['widths']} are those of '{model.name}'; expected the "
            f"default. Say --model.name {name} with widths of its own."
        )
    shown = augmentation(group, example_domain(model.name)) if how == "augmented" else "none"
    return dataclasses.replace(
        config,
        out=f"{config.out}_{how}",
        model=dataclasses.replace(model, name=name, group=None, options=options),
        train=dataclasses.replace(config.train, augment=shown),
    )
