"""Models by name: one explicit table."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import inspect
from typing import Any

from torch import nn

#: name -> (module, builder, fixed arguments, one line)
_TABLE: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "steerable_cnn": ("steerable_cnn", "SteerableCNN", {}, "six convolutions on regular fields, E(2) benchmark style"),
    "steerable_cnn_plain": ("plain_cnn", "PlainCNN", {}, "plain twin of steerable_cnn"),
    "lens_cnn": ("lens", "LensCNN", {}, "small invariant network for residuals of gravitational lenses"),
    "lens_cnn_plain": ("lens", "LensCNNPlain", {}, "plain twin of lens_cnn"),
    "wrn10_4": ("wide_resnet", "WideResNet", {"depth": 10, "widen": 4}, "equivariant wide ResNet 10-4"),
    "wrn16_4": ("wide_resnet", "WideResNet", {"depth": 16, "widen": 4}, "equivariant wide ResNet 16-4"),
    "wrn16_8": ("wide_resnet", "WideResNet", {"depth": 16, "widen": 8}, "equivariant wide ResNet 16-8"),
    "wrn28_7": ("wide_resnet", "WideResNet", {"depth": 28, "widen": 7}, "equivariant wide ResNet 28-7"),
    "wrn28_10": ("wide_resnet", "WideResNet", {"depth": 28, "widen": 10}, "equivariant wide ResNet 28-10"),
    "wrn10_4_plain": ("plain_wide_resnet", "PlainWideResNet", {"depth": 10, "widen": 4}, "plain wide ResNet 10-4"),
    "wrn16_4_plain": ("plain_wide_resnet", "PlainWideResNet", {"depth": 16, "widen": 4}, "plain wide ResNet 16-4"),
    "wrn16_8_plain": ("plain_wide_resnet", "PlainWideResNet", {"depth": 16, "widen": 8}, "plain wide ResNet 16-8"),
    "wrn28_7_plain": ("plain_wide_resnet", "PlainWideResNet", {"depth": 28, "widen": 7}, "plain wide ResNet 28-7"),
    "wrn28_10_plain": ("plain_wide_resnet", "PlainWideResNet", {"depth": 28, "widen": 10}, "plain wide ResNet 28-10"),
}


def list_models(pattern: str = "*") -> list[str]:
    """Names of all models that match a shell pattern, sorted."""
    return sorted(fnmatch.filter(_TABLE, pattern))


def describe_model(name: str) -> str:
    """One line on a model. Raises ``ValueError`` for an unknown name."""
    return _entry(name)[3]


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
    module, builder, fixed, _ = _entry(name)
    build = getattr(importlib.import_module(f"steerable.models.{module}"), builder)
    known = [p for p in inspect.signature(build).parameters if p not in fixed]
    unknown = [a for a in arguments if a not in known]
    if unknown:
        raise TypeError(f"model {name!r} takes no argument {unknown[0]!r}; it takes {', '.join(known)}")
    return build(**fixed, **arguments)


def _entry(name: str) -> tuple[str, str, dict[str, Any], str]:
    if name not in _TABLE:
        close = difflib.get_close_matches(name, _TABLE, 3, 0.4) or sorted(_TABLE)
        raise ValueError(
            f"unknown model {name!r}; did you mean {', '.join(close)}? list_models() names all {len(_TABLE)}"
        )
    return _TABLE[name]
