"""The plain twin of a run: the same images and as many parameters, without symmetry. Every table needs its row."""

from __future__ import annotations

import dataclasses

from steerable.data.errors import InputError
from steerable.run.build import read_group
from steerable.run.config import Augment, FitConfig
from steerable.run.domains import domain_taken

TWINS = ("plain", "augmented")


def augmentation(group: str, domain: str = "images") -> Augment:
    """Return what shows a plain network the symmetry of `group`: see `shown` of each of :mod:`steerable.run.domains`.

    Args:
        group: its name.
        domain: images, volumes, points or sphere.
    """
    return domain_taken(domain).shown(read_group(group))


def plain_twin(config: FitConfig, how: str) -> FitConfig:
    """Return the config of the plain twin.

    Args:
        config: of an equivariant network.
        how: ``plain``, or ``augmented``: with the turns and flips of the group as augmentation.

    Raises:
        InputError: a network without a twin.
    """
    from steerable.models import example_domain, list_models, model_arguments

    model = config.model
    name = f"{model.name}_plain"
    if name not in list_models():
        raise InputError(
            f"--twin {how}: '{model.name}' has no plain twin; expected an equivariant network whose twin `steerable "
            "models` lists. Drop --twin."
        )
    options = dict(model.options)
    group = str(model.group or model_arguments(model.name).get("group") or "D4")
    if model_arguments(name).get("group") is not None:  # matches its widths to those of the network of this group
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
