"""What is done to the pixels before a network sees them: a list of named steps that can be written down."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from steerable.data.errors import InputError, did_you_mean
from steerable.data.resize import PADS, bin_pixels, centre, middle

SCALES = ("none", "peak", "noise", "sqrt", "standard", "dataset")


def divide(x: Tensor, by: float) -> Tensor:
    """Divide ``[N, C, H, W]`` by one number."""
    return x / by


def asinh(x: Tensor, by: float) -> Tensor:
    """Return ``asinh(x / by)``: linear below `by`, logarithmic above."""
    return torch.asinh(x / by)


def sqrt(x: Tensor) -> Tensor:
    """Return the square root of ``[N, C, H, W]``, with the sign of negative pixels: faint parts are lifted."""
    return x.sign() * x.abs().sqrt()


def peak(x: Tensor) -> Tensor:
    """Divide each image of ``[N, C, H, W]``, or volume, by its largest absolute pixel; the ratio of channels stays."""
    top = x.abs().amax(tuple(range(1, x.ndim)), keepdim=True)
    return x / torch.where(top > 0, top, 1)


def noise(x: Tensor, border: float = 0.1, by: float = 2.0) -> Tensor:
    """Bring each channel of each image into units of its own noise, then take ``asinh(x / by)``.

    The sky is the median of a frame along the border, the noise 1.4826 times the median absolute deviation there, which
    a few sources in the frame do not move. Where more than half of the frame has one value (a padded border), the
    standard deviation of the whole channel takes its place.

    Args:
        x: ``[N, C, H, W]``.
        border: width of the frame as a share of the side.
        by: where the scale passes from linear to logarithmic, in units of the noise.

    Raises:
        InputError: volumes, whose border is not known to be empty.
    """
    if x.ndim != 4:
        raise InputError(f"data.scale 'noise': input of shape {list(x.shape)}; expected images. Choose another scale.")
    h, w = x.shape[-2:]
    b = max(1, round(border * min(h, w)))
    frame = x.flatten(2)
    if h > 2 * b and w > 2 * b:
        parts = x[..., :b, :], x[..., h - b :, :], x[..., b : h - b, :b], x[..., b : h - b, w - b :]
        frame = torch.cat([part.flatten(2) for part in parts], -1)
    sky = middle(frame)[..., None]
    sigma = 1.4826 * middle((frame - sky).abs())
    spread = x.flatten(2).std(-1, unbiased=False)
    sigma = torch.where(sigma > 1e-6 * spread, sigma, spread)
    sigma = torch.where(sigma > 0, sigma, 1)
    return torch.asinh((x - sky[..., None]) / sigma[..., None, None] / by)


def standard(x: Tensor) -> Tensor:
    """Bring each image of ``[N, C, H, W]``, or volume, to mean 0 and standard deviation 1, all its channels together.

    One that is constant becomes 0.
    """
    axes = tuple(range(1, x.ndim))
    # what the mean leaves of a constant is rounding: only the values themselves tell that they are all one
    varied = x.amax(axes, keepdim=True) > x.amin(axes, keepdim=True)
    x = x - x.mean(axes, keepdim=True)
    x = x / torch.where(varied, x.abs().amax(axes, keepdim=True), torch.inf)  # in any unit the squares have digits
    return x / torch.where(varied, x.square().mean(axes, keepdim=True).sqrt(), 1)


def standardise(x: Tensor, mean: float, std: float) -> Tensor:
    """Subtract one number from ``[N, C, H, W]`` and divide by another."""
    return (x - mean) / std


def grey(x: Tensor) -> Tensor:
    """Return ``[N, 1, H, W]`` of grey or colour images: the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B.

    Raises:
        InputError: neither one channel nor three.
    """
    if x.shape[1] == 1:
        return x
    if x.shape[1] != 3:
        raise InputError(f"recipe: grey of {x.shape[1]} channels; expected 1 or 3. Leave the colour as it is.")
    return (x * x.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)


def rgb(x: Tensor) -> Tensor:
    """Return ``[N, 3, H, W]`` of grey or colour images: a grey one three times.

    Raises:
        InputError: neither one channel nor three.
    """
    if x.shape[1] == 3:
        return x
    if x.shape[1] != 1:
        raise InputError(f"recipe: rgb of {x.shape[1]} channels; expected 1 or 3. Leave the colour as it is.")
    return x.expand(-1, 3, -1, -1).contiguous()


STEPS: Mapping[str, Callable[..., Tensor]] = {
    "centre": centre,
    "bin_pixels": bin_pixels,
    "divide": divide,
    "asinh": asinh,
    "sqrt": sqrt,
    "peak": peak,
    "noise": noise,
    "standard": standard,
    "standardise": standardise,
    "grey": grey,
    "rgb": rgb,
}


@dataclass(frozen=True)
class Recipe:
    """Steps in order, each a name of :data:`STEPS` with its numbers; called on ``[N, C, H, W]``.

    Every image is treated on its own, so one image alone is prepared as it was among the others.
    """

    steps: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()

    @staticmethod
    def of(*steps: tuple[str, Mapping[str, float]]) -> Recipe:
        """Build from pairs such as ``("centre", {"size": 65})``.

        Raises:
            InputError: an unknown step, or numbers that it does not take.
        """
        for name, numbers in steps:
            if name not in STEPS:
                raise InputError(
                    f"recipe: no step '{name}'; expected one of {', '.join(STEPS)}.{did_you_mean(name, STEPS)}"
                )
            try:
                if not all(isinstance(v, (int, float)) for v in numbers.values()):
                    raise TypeError(f"{list(numbers.values())} are no numbers")
                inspect.signature(STEPS[name]).bind(None, **numbers)
            except TypeError as e:
                raise InputError(f"recipe: step '{name}' with {dict(numbers)}: {e}; expected its numbers.") from None
        return Recipe(tuple((name, tuple(sorted(numbers.items()))) for name, numbers in steps))

    def __call__(self, x: Tensor) -> Tensor:
        """Return the prepared images."""
        for name, numbers in self.steps:
            x = STEPS[name](x, **dict(numbers))
        return x

    def __add__(self, other: Recipe) -> Recipe:
        return Recipe(self.steps + other.steps)

    def __str__(self) -> str:
        words = [" ".join([name, *(f"{k}={v:g}" for k, v in numbers)]) for name, numbers in self.steps]
        return ", then ".join(words) or "as they are"

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON that :meth:`from_json` reads."""
        return [{"step": name, **dict(numbers)} for name, numbers in self.steps]

    @staticmethod
    def from_json(value: Sequence[Mapping[str, Any]]) -> Recipe:
        """Build from what :meth:`to_json` returned.

        Raises:
            InputError: something else.
        """
        try:
            return Recipe.of(*((d["step"], {k: v for k, v in d.items() if k != "step"}) for d in value))
        except (TypeError, KeyError, AttributeError):
            raise InputError(
                f"recipe: {json.dumps(value, default=str)[:80]} was given; expected a list of steps."
            ) from None


def geometry(size: int | None, bins: int = 1, pad: str = "zero") -> Recipe:
    """Return the steps that bring images to `size` pixels a side: pad or crop to ``size * bins``, then bin.

    Args:
        size: side of the result; None: leave the images as they are and only bin.
        bins: average blocks of this many pixels; 1 does not.
        pad: with zeros (``zero``), or with the background (``border``): see :func:`steerable.data.resize.background`.

    Raises:
        InputError: another word.
    """
    if pad not in PADS:
        raise InputError(f"data.options.pad is '{pad}'; expected one of {', '.join(PADS)}.{did_you_mean(pad, PADS)}")
    numbers = {"size": (size or 0) * bins} | ({"border": 1} if pad == "border" else {})
    cut = Recipe() if size is None else Recipe.of(("centre", numbers))
    return cut if bins == 1 else cut + Recipe.of(("bin_pixels", {"factor": bins}))


def scale_steps(scale: str, train: Tensor) -> Recipe:
    """Return the steps of a named scale.

    Args:
        scale: ``none``; ``peak``: each image by its largest pixel; ``noise``: in units of the noise at the border of
            each image, then asinh; ``sqrt``: square root; ``standard``: each image to mean 0 and standard deviation 1;
            ``dataset``: by the standard deviation of all training pixels.
        train: the training images ``[N, C, H, W]``, which ``dataset`` measures.

    Raises:
        InputError: another name, or training images that are constant.
    """
    if scale not in SCALES:
        raise InputError(f"data.scale is '{scale}'; expected one of {', '.join(SCALES)}.{did_you_mean(scale, SCALES)}")
    if scale == "dataset":
        by = float(train.std())
        if not by > 0:
            raise InputError(f"data.scale 'dataset': all {len(train)} training images have one value; expected images.")
        return Recipe.of(("divide", {"by": by}))
    return Recipe() if scale == "none" else Recipe.of((scale, {}))
