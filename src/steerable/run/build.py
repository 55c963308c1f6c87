"""From names to objects: the network and the images of a config, with one-line errors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from steerable.data import ImageData, InputError, Splits, frdeep, npz_folder, rotated_digits
from steerable.data.errors import did_you_mean
from steerable.run.config import DataConfig, ModelConfig


def lensing(root: str | None = None, **options: Any) -> Splits:
    """Read a folder that `steerable simulate lensing` wrote."""
    from steerable.tasks.lensing.data import read_splits

    return read_splits(root, **options)


READERS: dict[str, Callable[..., Splits]] = {
    "digits": rotated_digits,
    "frdeep": frdeep,
    "lensing": lensing,
    "folder": npz_folder,
}


def load_data(config: DataConfig) -> Splits:
    """Read the images of a config.

    Raises:
        InputError: an unknown name, an option that the reader does not have, or what the reader refuses.
    """
    if config.name not in READERS:
        raise InputError(
            f"data.name is '{config.name}'; expected one of {', '.join(READERS)}.{did_you_mean(config.name, READERS)}"
        )
    reader = READERS[config.name]
    check_options("data", config.name, reader, config.options)
    return reader(config.root, **config.options).limit(config.per_class)


def check_options(section: str, name: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
    """Compare the names of `options` with what `function` takes.

    Raises:
        InputError: a name that it does not take.
    """
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    known = [p for p in parameters if p not in ("root", "group", "in_channels", "num_classes")]
    for key in options:
        if key not in known:
            raise InputError(
                f"{section}.options.{key}: '{name}' has no such option; expected one of {known}.{did_you_mean(key, known)}"
            )


def parse_group(text: str | None) -> Any:
    """Turn ``C(8)``, ``D(4)``, ``SO2`` or ``O2`` into a group; None stays None.

    Raises:
        InputError: another text.
    """
    if text is None:
        return None
    from steerable import groups

    found = re.fullmatch(r"\s*(C|D)\(?(\d+)\)?\s*|\s*(SO2|O2)(?:\(\))?\s*", text)
    if not found or (found[2] and int(found[2]) < 1):
        raise InputError(
            f"model.group is '{text}'; expected C(n), D(n), SO2 or O2 with n at least 1, such as C(8), or null."
        )
    return getattr(groups, found[1])(int(found[2])) if found[1] else getattr(groups, found[3])()


def build_model(config: ModelConfig, in_channels: int, num_classes: int) -> nn.Module:
    """Build the network of a config for images of `in_channels` channels.

    Raises:
        InputError: an unknown name or group, options that the network does not take.
    """
    import steerable

    names = list(steerable.list_models())
    if config.name not in names:
        raise InputError(
            f"model.name is '{config.name}'; expected one of {', '.join(names)}.{did_you_mean(config.name, names)}"
        )
    extra = {} if config.group is None else {"group": parse_group(config.group)}
    try:
        return steerable.create_model(
            config.name, in_channels=in_channels, num_classes=num_classes, **extra, **config.options
        )
    except (TypeError, ValueError, KeyError) as e:
        raise InputError(
            f"model '{config.name}' with group {config.group} and options {config.options}: {e}"
            if "expected" in str(e)
            else f"model '{config.name}' with group {config.group} and options {config.options} cannot be built: {e}; "
            "expected options that it takes. See `steerable models`."
        ) from None


def try_model(model: nn.Module, data: ImageData) -> None:
    """Run one image through the network, so that a wrong shape is found before a run begins.

    Raises:
        InputError: the network refuses the image, or does not return one number a class.
    """
    was = model.training
    parameter = next(model.parameters(), torch.zeros(()))
    try:
        with torch.no_grad():
            out = model.eval()(data.x[:1].to(parameter))
    except (ValueError, RuntimeError, TypeError) as e:
        shape = list(data.x.shape[1:])
        raise InputError(
            f"{data.source}: the network cannot take images of {shape}; {str(e).splitlines()[0]}"
        ) from None
    finally:
        model.train(was)
    if out.shape != (1, len(data.classes)):
        raise InputError(
            f"{data.source}: the network returns {list(out.shape[1:])} numbers an image; expected {len(data.classes)}, "
            f"one for each of {list(data.classes)}. Set its num_classes."
        )
