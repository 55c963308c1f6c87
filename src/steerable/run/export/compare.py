"""The file that was written against the network that was trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.run.answer import Answerer, Folder
from steerable.run.dense import known_mean
from steerable.run.export.images import Images

#: largest difference of logits or values, relative to the largest of them
BOUNDS = {"float32": 1e-5, "float64": 1e-10}
#: of an int8 file: share of images whose class changes, or mean change of a value in units of the spread of values
INT8_BOUND = 0.1
#: share of images for which onnxruntime may round a prepared pixel to another integer than torch
SLIPS = 0.01


@dataclass(frozen=True)
class Comparison:
    """What a file says against what the network says, on the same images.

    Attributes:
        relative: the largest difference of logits or values, over the largest of them.
        absolute: the largest difference of probabilities or values.
        agreement: share of images, or places, with the same class; for values 1 - their mean change over their spread.
        before, after: accuracy or mean absolute error of the network and of the file, where the truth is known; over
            places, by area on the sphere, where there is an answer at each.
        images: how many.
        integers: of an int8 file: share of the answers that are those of the integer network in torch.
    """

    relative: float
    absolute: float
    agreement: float
    before: float | None
    after: float | None
    images: int
    integers: float | None = None


def answers(answerer: Answerer, x: Tensor, batch: int = 64) -> tuple[Tensor, Tensor]:
    """Return what each network says to raw images, ``[S, N, K, ...]``, and the answer, ``[N, K, ...]``; float64."""
    each = torch.cat([answerer.each(answerer.recipe(part)) for part in x.split(batch)], 1)
    return each, (each if answerer.is_regression else each.softmax(2)).mean(0)


def compare(eager: Folder, written: Answerer, images: Images, integers: float | None = None) -> Comparison:
    """Let both answer to the same images.

    Args:
        eager: the networks as they were trained, in the precision of the file.
        written: the file, read back.
        images: to compare on.
        integers: see :class:`Comparison`.
    """
    x = images.check.to(next(eager.models[0].parameters(), torch.zeros(())).dtype)
    (each, mean), (each_w, mean_w) = answers(eager, x), answers(written, x)
    relative = (each - each_w).abs().max() / each.abs().max().clamp_min(1e-30)
    before = after = None
    if eager.is_regression:
        change = (mean - mean_w).abs().mean() / mean.std(0, unbiased=False).mean().clamp_min(1e-30)
        agreement = 1.0 - float(change)
        if images.truth is not None:
            truth = images.truth.reshape(mean.shape)
            known = torch.isfinite(truth)
            before, after = (float(known_mean((m - truth).abs(), known, images.areas)) for m in (mean, mean_w))
    else:
        agreement = float((mean.argmax(1) == mean_w.argmax(1)).double().mean())
        if images.truth is not None:
            truth, known = images.truth, images.truth >= 0
            right = ((m.argmax(1) == truth).double() for m in (mean, mean_w))
            before, after = (float(known_mean(r, known, images.areas)) for r in right)
    absolute = float((mean - mean_w).abs().max())
    return Comparison(float(relative), absolute, agreement, before, after, len(x), integers)


def require(found: Comparison, kind: str, bound: float, path: Path, real: bool) -> None:
    """Refuse a file that answers otherwise than its network.

    Args:
        found: the comparison.
        kind: ``program``, ``onnx`` or ``int8``.
        bound: the largest relative difference; of int8 files the largest share of changed classes, which is asked of
            real images only.
        path: the file, for the message.
        real: whether the images are real.

    Raises:
        InputError: it differs more.
    """
    if found.integers is not None and not found.integers >= 1.0 - SLIPS:
        raise InputError(
            f"'{path}': onnxruntime gives {1.0 - found.integers:.1%} other answers than the same integers in torch; "
            f"expected at most {SLIPS:.0%}. Nothing was written: say --weight-bits 7, this processor may saturate."
        )
    if kind == "int8":
        if real and not 1.0 - found.agreement <= bound:
            raise InputError(
                f"'{path}': integers change {1.0 - found.agreement:.1%} of {found.images} answers; expected at most "
                f"{bound:.0%}. Nothing was written: train longer, or with quantisation, or allow it with --changed."
            )
    elif not found.relative <= bound:
        raise InputError(
            f"'{path}' differs from the network by {found.relative:.1e} (relative, {found.images} images); expected at "
            f"most {bound:.0e}. Nothing was written: say another --format, and report this."
        )
