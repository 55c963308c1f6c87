"""From a name to a network, with one-line errors."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import nn

from steerable.data import InputError, Samples
from steerable.data.checks import field_type
from steerable.data.errors import did_you_mean
from steerable.groups.group import Group
from steerable.groups.naming import parse_group
from steerable.run.ask import ask, like
from steerable.run.config import ModelConfig
from steerable.run.domains import domain_of
from steerable.run.sides import is_equivariant, nearest_side


def read_group(text: str | None, what: str = "model.group") -> Group | None:
    """Turn ``C8``, ``C(8)``, ``D4``, ``SO2``, ``O2`` or a product such as ``C2xD3`` into a group; None stays None.

    Raises:
        InputError: another text.
    """
    try:
        return None if text is None else parse_group(text)
    except ValueError as e:
        raise InputError(f"{what} is '{text}'; {str(e).split('; ')[-1]}, or null for a plain network.") from None


def network_group(config: ModelConfig) -> Group | None:
    """Return the symmetry of a network; of a plain twin that of the network which it stands beside.

    Raises:
        InputError: another group than :func:`read_group` knows.
    """
    from steerable.models import list_models, model_arguments

    named = config.group or config.options.get("group")
    if named is None and config.name in list_models():
        named = model_arguments(config.name).get("group")
    return named if isinstance(named, Group) else read_group(named)


def build_model(config: ModelConfig, in_channels: int, num_classes: int) -> nn.Module:
    """Build the network of a config for images of `in_channels` channels.

    Raises:
        InputError: an unknown name or group, options that the network does not take.
    """
    from steerable.models import create_model, list_models

    names = list(list_models())
    if config.name not in names:
        raise InputError(
            f"model.name is '{config.name}'; expected one of the {len(names)} names that `steerable models` lists."
            f"{did_you_mean(config.name, names)}"
        )
    extra = {} if config.group is None else {"group": read_group(config.group)}
    try:
        return create_model(config.name, in_channels=in_channels, num_classes=num_classes, **extra, **config.options)
    except (TypeError, ValueError, KeyError) as e:
        raise InputError(
            f"model '{config.name}' with group {config.group} and options {config.options}: {e}"
            if "expected" in str(e)
            else f"model '{config.name}' with group {config.group} and options {config.options} cannot be built: {e}; "
            "expected options that it takes. See `steerable models`."
        ) from None


def for_data(config: ModelConfig, data: Samples) -> ModelConfig:
    """Return the config of a network with what the data says: on the sphere the sampling and the types of fields.

    Raises:
        InputError: another sampling or type in the options, or a network that cannot have it.
    """
    from steerable.models import list_models, model_arguments

    if data.domain != "sphere" or config.name not in list_models():
        return config
    check_domain(config.name, data)
    takes = model_arguments(config.name)
    own, out = data.type, data.target.type if data.target is not None else ""
    own, out = (t if t and not field_type(t, 0, data.source).is_trivial else "" for t in (own, out))
    known: dict[str, Any] = {"sphere": data.sampling, "in_type": own, "out_type": out}
    options = dict(config.options)
    group = read_group(config.group) if config.group is not None else None
    if group is not None and group.order == 1:  # held by north: components are channels
        known |= {"in_type": "", "out_type": ""}
    for key, value in known.items():
        if value == "" or (key not in takes and config.name.endswith("_plain")):
            continue  # scalars need not be said; a plain network sees components as channels
        if key not in takes:
            raise InputError(
                f"model.name is '{config.name}', which takes scalars, but {data.source} has fields of type '{value}' "
                f"({key}); expected a network for them, such as sphere_unet."
            )
        if options.setdefault(key, value) != value:
            raise InputError(
                f"model.options.{key} is '{options[key]}', but {data.source} has '{value}'; expected the same. Leave "
                "it out: the data says it."
            )
    return dataclasses.replace(config, options=options)


def check_domain(name: str, data: Samples) -> None:
    """Refuse a network of images, volumes, points or the sphere on data of another kind.

    Args:
        name: of the network, one that there is.
        data: what it is to see.

    Raises:
        InputError: naming both, and networks that take the data.
    """
    from steerable.models import example_domain, list_models

    takes, own = example_domain(name), domain_of(data)
    if takes == own.takes:
        return
    fit = [n for n in list_models() if example_domain(n) == own.takes and not n.endswith("_plain")]
    many = own.takes == "images"
    mend = "Set model.name to a network of images" if many else f"Set model.name to one of {', '.join(fit)}"
    if (takes, own.takes) == ("volumes", "images"):
        mend += ", or save volumes of one channel as x [N, 1, D, H, W]: x [N, C, H, W] are images"
    raise InputError(
        f"model.name is '{name}', which takes {takes}, but {data.source} has {own.shape(data)}; expected a network of "
        f"{own.takes}. {mend}."
    )


def not_exact(model: nn.Module, data: Samples, broken: object) -> str:
    """Say that the size of images breaks the symmetry of a network, and the nearest side that does not."""
    side = nearest_side(model, data.channels, max(data.size), axes=len(data.size))
    cube = " x ".join([str(side)] * len(data.size))
    mend = f"such as {cube} (data.options.size, or side of the reader images)" if side else "another one"
    return (
        f"images of {' x '.join(map(str, data.size))} pixels break the symmetry of the network; expected a size at "
        f"which it is exact, {mend}. Set it, or model.exact_sizes to false if you accept the error. ({broken} of what "
        "it sees.)"
    )


def try_model(model: nn.Module, data: Samples, exact_sizes: bool = True) -> None:
    """Run one image through the network, so that a wrong shape is found before a run begins.

    Args:
        model: the network.
        data: its images; the first one is used.
        exact_sizes: whether an equivariant network may not meet a size at which its strided layers break the symmetry.

    Raises:
        InputError: the network refuses the image, or does not return one number a class (or one value), or the size is
            not exact.
    """
    from steerable.laws import size_violations

    was = model.training
    try:
        with torch.no_grad():
            image = like(model, data.x[:1])
            sized = exact_sizes and is_equivariant(model) and data.domain in ("plane", "volume")
            broken = size_violations(model, image) if sized else []
            if broken:
                raise InputError(f"{data.source}: {not_exact(model, data, broken[0])}")
            out = ask(model.eval(), image)
    except InputError:
        raise
    except (ValueError, RuntimeError, TypeError) as e:
        what = domain_of(data).shape(data)
        raise InputError(f"{data.source}: the network cannot take {what}; {str(e).splitlines()[0]}") from None
    finally:
        model.train(was)
    if out.shape != (1, data.outputs, *data.places):
        names = data.classes or (data.target.columns if data.target else ())
        what = f"one for each of {list(names)}" if names else f"the value of {data.target}"
        if data.dense:
            raise InputError(
                f"{data.source}: the network returns {list(out.shape[1:])} to a sample; expected {what} at every "
                f"place, {[data.outputs, *data.places]}. Set model.name to one that answers there, such as "
                f"{domain_of(data).networks[1]}."
            )
        mend = f"Set model.name to one with one answer for a sample, such as {domain_of(data).networks[0]}"
        raise InputError(
            f"{data.source}: the network returns {list(out.shape[1:])} numbers a sample; expected {data.outputs}, "
            f"{what}. {'Set its num_classes' if out.ndim == 2 else mend}."
        )
