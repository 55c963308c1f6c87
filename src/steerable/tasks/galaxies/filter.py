"""Which predictions to trust: confidence, and accuracy against the share of images that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from steerable.tasks.galaxies.tree import GalaxyZooTree

__all__ = ["accuracy_curve", "filter_confident", "question_report"]

FRACTIONS = (1.0, 0.75, 0.5, 0.25)
REACHED = 0.5


def filter_confident(pred: Tensor, threshold: float, tree: GalaxyZooTree | None = None) -> Tensor:
    """Say which predictions are confident enough.

    Args:
        pred: predicted labels ``[N, 37]``.
        threshold: on the agreement that the prediction itself expects, 0 (keep all) to 1 (only unanimous ones).
        tree: of the labels.

    Returns:
        bool ``[N, 11]``, for each question.

    Raises:
        ValueError: a threshold outside 0 to 1.

    Source: arXiv 1503.07077, section 8.2.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"filter_confident: got threshold={threshold}; expected a number from 0 to 1")
    return _confidence(pred, tree or GalaxyZooTree()) >= threshold


def _confidence(pred: Tensor, tree: GalaxyZooTree) -> Tensor:
    # what is no share, such as the answer of a linear model, counts as 0
    return tree.agreement(tree.decode(pred.clamp_min(0))[0])


def accuracy_curve(
    pred: Tensor,
    labels: Tensor,
    fractions: Sequence[float] = FRACTIONS,
    tree: GalaxyZooTree | None = None,
    reached: float = REACHED,
) -> dict[str, list[dict[str, Any]]]:
    """Return, for each question, how often the most confident predictions name the most frequent answer.

    Only images count of which at least half of the volunteers were asked the question.

    Args:
        pred: predicted labels ``[N, 37]``.
        labels: of the volunteers ``[N, 37]``.
        fractions: shares of the images that are kept, the most confident first.
        tree: of the labels.
        reached: the share of volunteers who must have reached the question.

    Returns:
        For each question by name a list of: fraction, threshold (the lowest confidence kept), images, accuracy; NaN
        where no image is left.

    Raises:
        ValueError: shapes that differ, or a fraction that is not above 0 and at most 1.
    """
    if pred.shape != labels.shape or any(not 0 < f <= 1 for f in fractions):
        raise ValueError(
            f"accuracy_curve: got predictions {list(pred.shape)}, labels {list(labels.shape)}, fractions "
            f"{list(fractions)}; expected [N, 37] twice and fractions above 0, at most 1"
        )
    tree = tree or GalaxyZooTree()
    confidence = _confidence(pred, tree)
    truth, share = tree.decode(labels)
    guess = tree.decode(pred.clamp_min(0))[0]
    curves: dict[str, list[dict[str, Any]]] = {}
    for k, q in enumerate(tree.questions):
        asked = (share[:, k] >= reached).nonzero()[:, 0]
        order = asked[confidence[asked, k].argsort(descending=True, stable=True)]
        right = guess[order, q.slice].argmax(-1) == truth[order, q.slice].argmax(-1)
        rows = []
        for fraction in fractions:
            n = min(len(order), max(1, round(fraction * len(order)))) if len(order) else 0
            kept = right[:n].double()
            rows.append(
                {
                    "fraction": float(fraction),
                    "threshold": float(confidence[order[n - 1], k]) if n else float("nan"),
                    "images": n,
                    "accuracy": float(kept.mean()) if n else float("nan"),
                }
            )
        curves[q.name] = rows
    return curves


def question_report(answer: Tensor, y: Tensor, tree: GalaxyZooTree | None = None) -> dict[str, Any]:
    """Return what `steerable evaluate` shows of 37 answers: RMSE and accuracies of each question, and the curve.

    Args:
        answer: predicted labels ``[N, 37]``.
        y: of the volunteers ``[N, 37]``.
        tree: of the labels.
    """
    tree = tree or GalaxyZooTree()
    curves = accuracy_curve(answer, y, FRACTIONS, tree)
    half = FRACTIONS.index(0.5)
    heads = {name: f"{name} ({rows[0]['images']})" for name, rows in curves.items()}
    errors = {q.name: float((answer - y)[:, q.slice].square().mean().sqrt()) for q in tree.questions}
    return {
        "tables": {
            "RMSE by question": errors,
            "accuracy by question (images that half of the volunteers reached)": {
                heads[name]: rows[0]["accuracy"] for name, rows in curves.items()
            },
            "accuracy of the more confident half": {heads[n]: rows[half]["accuracy"] for n, rows in curves.items()},
        },
        "curves": curves,
    }
