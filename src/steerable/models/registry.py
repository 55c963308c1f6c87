"""Models by name: one explicit table."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import inspect
from typing import Any, NamedTuple

from torch import nn


class Entry(NamedTuple):
    """One row of the table: module, builder, fixed arguments, a description, a side of images that is exact."""

    module: str
    builder: str
    fixed: dict[str, Any]
    about: str
    side: int


_TABLE: dict[str, Entry] = {
    "steerable_cnn": Entry(
        "steerable_cnn", "SteerableCNN", {}, "six convolutions on regular fields, E(2) benchmark style", 29
    ),
    "steerable_cnn_plain": Entry("plain_cnn", "PlainCNN", {}, "plain twin of steerable_cnn", 29),
    "lens_cnn": Entry("lens", "LensCNN", {}, "small invariant network for residuals of gravitational lenses", 64),
    "lens_cnn_plain": Entry("lens", "LensCNNPlain", {}, "plain twin of lens_cnn", 64),
    "wrn10_1": Entry("wide_resnet", "WideResNet", {"depth": 10, "widen": 1}, "equivariant wide ResNet 10-1, small", 33),
    "wrn10_4": Entry("wide_resnet", "WideResNet", {"depth": 10, "widen": 4}, "equivariant wide ResNet 10-4", 33),
    "wrn16_4": Entry("wide_resnet", "WideResNet", {"depth": 16, "widen": 4}, "equivariant wide ResNet 16-4", 33),
    "wrn16_8": Entry("wide_resnet", "WideResNet", {"depth": 16, "widen": 8}, "equivariant wide ResNet 16-8", 33),
    "wrn28_7": Entry("wide_resnet", "WideResNet", {"depth": 28, "widen": 7}, "equivariant wide ResNet 28-7", 33),
    "wrn28_10": Entry("wide_resnet", "WideResNet", {"depth": 28, "widen": 10}, "equivariant wide ResNet 28-10", 33),
    "wrn10_1_plain": Entry(
        "plain_wide_resnet", "PlainWideResNet", {"depth": 10, "widen": 1}, "plain wide ResNet 10-1", 33
    ),
    "wrn10_4_plain": Entry(
        "plain_wide_resnet", "PlainWideResNet", {"depth": 10, "widen": 4}, "plain wide ResNet 10-4", 33
    ),
    "wrn16_4_plain": Entry(
        "plain_wide_resnet", "PlainWideResNet", {"depth": 16, "widen": 4}, "plain wide ResNet 16-4", 33
    ),
    "wrn16_8_plain": Entry(
        "plain_wide_resnet", "PlainWideResNet", {"depth": 16, "widen": 8}, "plain wide ResNet 16-8", 33
    ),
    "wrn28_7_plain": Entry(
        "plain_wide_resnet", "PlainWideResNet", {"depth": 28, "widen": 7}, "plain wide ResNet 28-7", 33
    ),
    "wrn28_10_plain": Entry(
        "plain_wide_resnet", "PlainWideResNet", {"depth": 28, "widen": 10}, "plain wide ResNet 28-10", 33
    ),
    "dieleman": Entry("dieleman", "Dieleman", {}, "the published galaxy network: 16 parts, concatenated", 69),
    "dieleman_d4": Entry("dieleman", "DielemanInvariant", {}, "the galaxy network, exactly invariant under D4", 69),
    "dieleman_plain": Entry("plain_dieleman", "DielemanPlain", {"match": "dieleman"}, "plain twin of dieleman", 69),
    "dieleman_d4_plain": Entry(
        "plain_dieleman", "DielemanPlain", {"match": "dieleman_d4"}, "plain twin of dieleman_d4", 69
    ),
}


def list_models(pattern: str = "*") -> list[str]:
    """Names of all models that match a shell pattern, sorted."""
    return sorted(fnmatch.filter(_TABLE, pattern))


def describe_model(name: str) -> str:
    """One line on a model. Raises ``ValueError`` for an unknown name."""
    return _entry(name).about


def example_side(name: str) -> int:
    """Side in pixels of square images on which a model is exact. Raises ``ValueError`` for an unknown name."""
    return _entry(name).side


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build a model by name.

    Args:
        name: one of :func:`list_models`.
        arguments: passed to the builder; all take ``in_channels`` and ``num_classes``, equivariant ones ``group`` or
            ``groups``.

    Returns:
        A module from ``[B, in_channels, H, W]`` to ``[B, num_classes]``.

    Raises:
        ValueError: for an unknown name, naming the closest ones.
        TypeError: for an argument that the builder does not take, naming those it does.
    """
    module, builder, fixed = _entry(name)[:3]
    build = getattr(importlib.import_module(f"steerable.models.{module}"), builder)
    known = [p for p in inspect.signature(build).parameters if p not in fixed]
    unknown = [a for a in arguments if a not in known]
    if unknown:
        raise TypeError(f"model {name!r} takes no argument {unknown[0]!r}; it takes {', '.join(known)}")
    return build(**fixed, **arguments)


def _entry(name: str) -> Entry:
    if name not in _TABLE:
        close = difflib.get_close_matches(name, _TABLE, 3)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise ValueError(f"unknown model {name!r}; expected one of {', '.join(sorted(_TABLE))}.{hint}")
    return _TABLE[name]
