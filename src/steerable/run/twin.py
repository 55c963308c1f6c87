"""The plain twin of a run: the same images and as many parameters, without symmetry. Every table needs its row."""

from __future__ import annotations

import dataclasses

import torch

from steerable.data.errors import InputError
from steerable.models import list_models
from steerable.run.build import read_group
from steerable.run.config import Augment, FitConfig

TWINS = ("plain", "augmented")
SPATIAL = ("volume", "point")  # how networks on volumes and points are called


def augmentation(group: str, space: bool = False) -> Augment:
    """Return what shows a plain network the symmetry of `group`: any angle, and flips where the group has them.

    A group of space gets any rotation, and reflections where it has some; on volumes and points a group of the plane
    gets turns about the third axis. Turns of the pixel grid need no interpolation, so D4 and its subgroups with flips
    get exactly these.

    Args:
        group: its name.
        space: whether the data is volumes or points.
    """
    found = read_group(group)
    name = group if found is None else found.name
    if found is not None and found.dimension == 3:
        mirrors = torch.linalg.det(found.action(found.generators)) < 0
        return "rotate" if bool(mirrors.any()) else "turn"
    if space:
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
    if model.name == "steerable_cnn":  # matches its widths to those of the network of this group
        options["group"] = model.group or "C8"
    elif "widths" in options:
        raise InputError(
            f"--twin {how}: model.options.widths {options['widths']} are those of '{model.name}'; expected the "
            f"default. Say --model.name {name} with widths of its own."
        )
    group = model.group or {"steerable_cnn": "C8", "volume_cnn": "O", "point_cnn": "SO3"}.get(model.name, "D4")
    return dataclasses.replace(
        config,
        out=f"{config.out}_{how}",
        model=dataclasses.replace(model, name=name, group=None, options=options),
        train=dataclasses.replace(
            config.train, augment=augmentation(group, model.name.startswith(SPATIAL)) if how == "augmented" else "none"
        ),
    )
