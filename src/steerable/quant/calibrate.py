"""Ranges of every value of a network on sample images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from steerable.nn.module import EquivariantModule
from steerable.quant.program import Program

Ranges = dict[str, tuple[float, float]]


def image_batches(batches: Any) -> Iterator[Tensor]:
    """Float image batches from tensors, ``(images, labels)`` pairs, dicts with ``"image"``, or a loader of such.

    Raises:
        TypeError: for anything else.
        ValueError: for images that are no ``[B, C, H, W]``, or hold values that are no numbers.
    """
    found: Iterable[Any] = [batches] if isinstance(batches, Tensor) and batches.dim() == 4 else batches
    if not isinstance(found, Iterable):
        raise TypeError(f"quantize: got calibration {type(batches).__name__}; expected image batches [B, C, H, W]")
    for batch in found:
        x = batch["image"] if isinstance(batch, dict) and "image" in batch else batch
        x = x[0] if isinstance(x, list | tuple) and x else x
        if not isinstance(x, Tensor):
            raise TypeError(f"quantize: got a calibration batch of {type(x).__name__}; expected a tensor [B, C, H, W]")
        if x.dim() != 4 or not len(x):
            raise ValueError(
                f"quantize: got a calibration batch of shape {tuple(x.shape)}; expected images [B, C, H, W]"
            )
        x = x.float()
        if not bool(torch.isfinite(x).all()):
            raise ValueError(
                f"quantize: {int((~torch.isfinite(x)).sum())} values of a calibration batch {tuple(x.shape)} are no "
                f"numbers (NaN or infinite); remove those images"
            )
        yield x


def first_batch(batches: Any) -> tuple[Tensor, Any]:
    """The first batch, and an iterable of all. Raises ``ValueError`` if there is none."""
    if not isinstance(batches, Tensor | list | tuple) and iter(batches) is batches:
        batches = list(batches)  # an iterator can be read once only
    for x in image_batches(batches):
        return x, batches
    raise ValueError(
        f"quantize: calibrated on nothing ({type(batches).__name__} without a batch); expected a few hundred images "
        f"like those to come, as batches [B, C, H, W]"
    )


class Watch:
    """Smallest and largest of every value that it is shown."""

    def __init__(self) -> None:
        self.ranges: Ranges = {}

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """Take note of ``x`` and return it."""
        low, high = (float(v) for v in x.detach().aminmax())
        if name in self.ranges:
            low, high = min(low, self.ranges[name][0]), max(high, self.ranges[name][1])
        self.ranges[name] = (low, high)
        return x


@torch.no_grad()
def find_ranges(program: Program, batches: Any) -> Ranges:
    """Ranges of all values over all batches.

    Raises:
        ValueError: for images of several sizes, or that are constant, so that they tell nothing.
    """
    watch = Watch()
    for x in image_batches(batches):
        if tuple(x.shape[1:]) != program.shape:
            raise ValueError(
                f"quantize: got calibration images {tuple(x.shape[1:])} after {program.shape}; expected one size"
            )
        program.run(x, watch)
    low, high = watch.ranges["input"]
    if not high > low:
        raise ValueError(
            f"quantize: all calibration images are constant ({low:g} everywhere), so there is no range to learn; "
            f"expected a few hundred images like those to come"
        )
    for name, (low, high) in watch.ranges.items():
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(
                f"quantize: the float network gives {low} ... {high} at {name!r}; expected finite numbers. Its weights "
                f"or statistics are broken"
            )
    return {
        name: (low, high) if min(low, 0.0) < max(high, 0.0) else (0.0, 1.0)
        for name, (low, high) in watch.ranges.items()
    }


def check_model(model: nn.Module) -> None:
    """Raise ``TypeError`` for what is no module, ``ValueError`` for weights that are no numbers or too coarse.

    Half precision rounds a baked filter in steps of the size of the integers: which entries were equal is lost.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"quantize: got {type(model).__name__}; expected a torch.nn.Module")
    for name, p in model.named_parameters():
        if not bool(torch.isfinite(p).all()):
            raise ValueError(f"quantize: parameter {name!r} holds values that are no numbers; expected a trained model")
    for name, layer in model.named_modules():
        if isinstance(layer, EquivariantModule) or not hasattr(layer, "fields"):
            continue
        for weight in layer.parameters(recurse=False):
            if weight.dtype in (torch.float16, torch.bfloat16):
                raise ValueError(
                    f"quantize: layer {name!r} was baked in {weight.dtype}, whose steps are those of 8-bit integers; "
                    f"expected float32 or float64. Quantise the equivariant model, then export"
                )
