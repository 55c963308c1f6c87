"""From the name of a data set to its three parts."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from steerable.data import (
    InputError,
    Recipe,
    Samples,
    Splits,
    Target,
    cfhtls,
    frdeep,
    image_folder,
    mask_folder,
    npz_folder,
    point_folder,
    rotated_digits,
)
from steerable.data.errors import did_you_mean
from steerable.data.known import (
    cifar10,
    cifar10_subset,
    cifar100,
    deeplense,
    fashion_mnist,
    galaxy10,
    mnist,
    modelnet40,
    pcam,
    rotated_mnist,
    stl10,
)
from steerable.data.sphere_folder import sphere_folder
from steerable.data.volume_folder import volume_folder
from steerable.run.config import DataConfig
from steerable.tasks.galaxies import galaxies_synthetic, galaxy_zoo
from steerable.tasks.molecules import qm7, qm9
from steerable.tasks.panoramas import panoramas
from steerable.tasks.shapes import shapes
from steerable.tasks.sky import earth_elevation, ocean_basins, panorama_depth, wind, wmap
from steerable.tasks.volumes import density_maps, volumes_synthetic

LENS_INPUTS = ("residual", "fit_residual", "image")
AXION_MASS = Target("log10_axion_mass", "log10 eV")


def lens_images(found: Any, kind: str) -> Tensor:
    """Return the images ``[N, 1, n, n]`` of a part of a simulated set; `kind` is one of :data:`LENS_INPUTS`.

    Raises:
        InputError: the set was written without them.
    """
    images = getattr(found, kind, None)
    if images is None:
        raise InputError(
            f"data.options.input is '{kind}', which this set does not hold; expected one of "
            f"{[k for k in LENS_INPUTS if getattr(found, k, None) is not None]}. Simulate it with that column."
        )
    return images[:, None] if images.ndim == 3 else images


def lensing(
    root: str | None = None, target: str | None = None, scale: str | None = None, input: str = "residual"
) -> Splits:
    """Read a folder that `steerable simulate lensing` wrote.

    Args:
        root: the folder.
        target: ``log10_axion_mass`` of the images with a vortex; None: the kinds of dark matter as classes.
        scale: of the input ``image``, by default ``noise``; residuals are in units of the noise already.
        input: ``residual`` after the smooth lens linearised at the truth, ``fit_residual`` after a blind fit, or
            ``image``.

    Raises:
        InputError: what the reader of the lensing task refuses, or another target or input.
    """
    from steerable.tasks.lensing import CLASSES, load

    if root is None:
        raise InputError(
            f"lensing: data.root is {root}; expected a folder. Make one with `steerable simulate lensing --out DIR`."
        )
    if input not in LENS_INPUTS:
        raise InputError(f"data.options.input is '{input}'; expected one of {', '.join(LENS_INPUTS)}.")
    if target not in (None, AXION_MASS.name):
        raise InputError(f"lensing: data.target is '{target}'; expected {AXION_MASS.name}, or null for the classes.")
    if input != "image" and scale is not None:
        raise InputError(
            f"data.scale is '{scale}', but the input '{input}' is in units of the noise already; expected null."
        )
    parts, settings = {}, {}
    for part in ("train", "validation", "test"):
        try:
            found = load(Path(root) / part)
        except (FileNotFoundError, ValueError) as e:
            why = str(e).rstrip(".")
            raise InputError(f"lensing: {why}. Make it with `steerable simulate lensing --out {root}`.") from None
        settings = found.settings.to_dict()
        classes = tuple(getattr(found, "classes", CLASSES))
        data = Samples(lens_images(found, input).float(), found.label, classes, f"{root} ({part})")
        parts[part] = data if target is None else with_mass(data, found.log10_axion_mass)
    splits = Splits(
        parts["train"], parts["validation"], parts["test"],
        input="pixels" if input == "image" else input, settings=settings,
    )  # fmt: skip
    if input == "image":
        return splits.prepare(Recipe(), scale or "noise")
    return splits.prepare(Recipe.of(("asinh", {"by": 2.0})))


def with_mass(data: Samples, mass: Tensor) -> Samples:
    """Return the images with a vortex and log10 of the axion mass of each, ``[N]``.

    Raises:
        InputError: there are none.
    """
    vortex = (data.y == data.classes.index("vortex")).nonzero()[:, 0] if "vortex" in data.classes else data.y[:0]
    if not len(vortex):
        raise InputError(
            f"{data.source}: no image has a vortex, counts are {dict(zip(data.classes, data.counts(), strict=True))}; "
            f"expected some for {AXION_MASS.name}. Simulate the class vortex."
        )
    return Samples(data.x[vortex], mass[vortex].float(), AXION_MASS, data.source)


READERS: dict[str, Callable[..., Splits]] = {
    "digits": rotated_digits,
    "frdeep": frdeep,
    "cfhtls": cfhtls,
    "lensing": lensing,
    "folder": npz_folder,
    "images": image_folder,
    "masks": mask_folder,
    "galaxies": galaxy_zoo,
    "galaxies_synthetic": galaxies_synthetic,
    "rotated_mnist": rotated_mnist,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "cifar10_subset": cifar10_subset,
    "stl10": stl10,
    "pcam": pcam,
    "galaxy10": galaxy10,
    "deeplense": deeplense,
    "volumes_synthetic": volumes_synthetic,
    "density_maps": density_maps,
    "volume_folder": volume_folder,
    "shapes": shapes,
    "qm7": qm7,
    "qm9": qm9,
    "modelnet40": modelnet40,
    "panoramas": panoramas,
    "points": point_folder,
    "ocean_basins": ocean_basins,
    "elevation": earth_elevation,
    "wind": wind,
    "wmap": wmap,
    "depth": panorama_depth,
    "sphere": sphere_folder,
}
#: readers whose samples have values or regions of their own, and no classes
NO_CLASSES = (
    "galaxies", "galaxies_synthetic", "ocean_basins", "elevation", "wind", "wmap", "depth", "panoramas", "masks",
)  # fmt: skip


def load_data(config: DataConfig, raw: bool = False) -> Splits:
    """Read the images of a config.

    Args:
        config: which images.
        raw: keep the images before their preparation, too: twice the memory.

    Raises:
        InputError: an unknown name, an option that the reader does not have, or what the reader refuses.
    """
    if config.name not in READERS:
        raise InputError(
            f"data.name is '{config.name}'; expected one of {', '.join(READERS)}.{did_you_mean(config.name, READERS)}"
        )
    reader = READERS[config.name]
    check_options("data", config.name, reader, config.options)
    more: dict[str, Any] = {} if config.scale is None else {"scale": config.scale}
    if config.target is not None:
        if "target" not in inspect.signature(reader).parameters:
            raise InputError(f"data.target is '{config.target}', but '{config.name}' has classes only; expected null.")
        more["target"] = config.target
    limits = {"per_class": config.per_class, "images": config.images}
    for name in [k for k in limits if k in inspect.signature(reader).parameters]:
        more[name] = limits.pop(name)  # what is not asked for is not even read
    found = reader(config.root, **more, **config.options)
    return (found if raw else dataclasses.replace(found, raw=None)).limit(**limits)


def check_options(section: str, name: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
    """Compare the names of `options` with what `function` takes.

    Raises:
        InputError: a name that it does not take.
    """
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    own = ("root", "target", "scale", "per_class", "images", "group", "in_channels", "num_classes")
    known = [p for p in parameters if p not in own]
    for key in options:
        if key not in known:
            raise InputError(
                f"{section}.options.{key}: '{name}' has no such option; expected one of {known}."
                f"{did_you_mean(key, known)}"
                + (" Options of a config stay: replace them all with --data.options '{}'." if section == "data" else "")
            )
