"""The decision tree of Galaxy Zoo 2: 11 questions, 37 answers, and what their numbers have to obey.

A volunteer walks down the tree, so most questions are asked of some galaxies only. A label is, for each answer, the
share of **all** volunteers who gave it: the answers to a question sum to the share who reached it.

Sources: K. W. Willett et al., MNRAS 435, 2835 (2013), table 2; S. Dieleman, K. W. Willett and J. Dambre, MNRAS 450,
1441 (2015), arXiv 1503.07077, sections 3 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from steerable.data.errors import InputError

__all__ = ["GalaxyZooTree", "Question"]

# below this the scores of a question say nothing: a quotient of them would be noise
_DEAD = 1e-6


class Question(NamedTuple):
    """One question.

    Attributes:
        name: short.
        text: what a volunteer is asked.
        answers: what may be answered.
        first: the first of its columns.
        parents: the columns whose answers lead here; empty: everybody is asked.
    """

    name: str
    text: str
    answers: tuple[str, ...]
    first: int
    parents: tuple[int, ...]

    @property
    def slice(self) -> slice:
        """The columns of its answers."""
        return slice(self.first, self.first + len(self.answers))


# name, text, answers, and the answers that lead here, as question.answer
_ROWS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("smooth", "Is the galaxy simply smooth and rounded, with no sign of a disc?",
     ("smooth", "features or disc", "star or artifact"), ()),
    ("edge_on", "Could this be a disc viewed edge-on?", ("yes", "no"), ("1.2",)),
    ("bar", "Is there a bar through the centre?", ("yes", "no"), ("2.2",)),
    ("spiral", "Is there any spiral arm pattern?", ("yes", "no"), ("2.2",)),
    ("bulge", "How prominent is the central bulge?", ("none", "just noticeable", "obvious", "dominant"), ("2.2",)),
    ("odd", "Is there anything odd?", ("yes", "no"), ("2.1", "2.2", "1.1")),
    ("round", "How rounded is it?", ("completely round", "in between", "cigar-shaped"), ("1.1",)),
    ("oddity", "Is the odd feature a ring, or is the galaxy disturbed or irregular?",
     ("ring", "lens or arc", "disturbed", "irregular", "other", "merger", "dust lane"), ("6.1",)),
    ("edge_bulge", "Does the galaxy have a bulge at its centre, and of which shape?",
     ("rounded", "boxy", "none"), ("2.1",)),
    ("winding", "How tightly wound are the arms?", ("tight", "medium", "loose"), ("4.1",)),
    ("arms", "How many arms are there?", ("1", "2", "3", "4", "more than 4", "can't tell"), ("4.1",)),
)  # fmt: skip

COLUMNS = tuple(f"Class{q}.{a + 1}" for q, row in enumerate(_ROWS, 1) for a in range(len(row[2])))


def _questions() -> tuple[Question, ...]:
    found, first = [], 0
    for name, text, answers, parents in _ROWS:
        found.append(Question(name, text, answers, first, tuple(COLUMNS.index(f"Class{p}") for p in parents)))
        first += len(answers)
    return tuple(found)


_QUESTIONS = _questions()
_ODD = 5


class GalaxyZooTree:
    """The tree as functions of tensors; it has no state and no parameters.

    Args:
        published: the sum of question 6 ("anything odd?"). In the tree, those who called the galaxy a star or an
            artifact are not asked, so the sum is the share of all others; in the published labels it is 1. True takes
            the labels as they are, False the tree.

    Every function takes and returns the 37 answers on the last axis, in the order of :attr:`columns`.
    """

    columns: tuple[str, ...] = COLUMNS
    questions: tuple[Question, ...] = _QUESTIONS

    def __init__(self, published: bool = True) -> None:
        self.published = bool(published)

    def __repr__(self) -> str:
        return f"GalaxyZooTree(published={self.published})"

    def __call__(self, scores: Tensor) -> Tensor:
        """Labels ``[..., 37]`` from the raw scores of a network: :meth:`normalise`, then :meth:`weights`."""
        return self.weights(self.normalise(scores))

    def normalise(self, scores: Tensor) -> Tensor:
        """Divisive normalisation of each question: ``max(z, 0) / sum max(z, 0)``, of ``[..., 37]``.

        Unlike a softmax it reaches 0 and 1. The published form adds 1e-12 to the sum, so a question without a positive
        score has probabilities that sum to 0 and passes no gradient; here such a question takes a softmax instead,
        which sums to 1 and can recover.

        Raises:
            ValueError: a last axis that is not 37.
        """
        self._check(scores, "normalise")
        parts = []
        for q in self.questions:
            z = scores[..., q.slice]
            positive = z.clamp_min(0)
            total = positive.sum(-1, keepdim=True)
            alive = total > _DEAD
            # the inner where keeps the branch that is not taken from sending NaN backwards
            parts.append(torch.where(alive, positive / torch.where(alive, total, 1.0), z.softmax(-1)))
        return torch.cat(parts, -1)

    def reach(self, p: Tensor) -> Tensor:
        """Share of volunteers who reach each question, ``[..., 11]``, from the probabilities ``p [..., 37]``."""
        self._check(p, "reach")
        shares: list[Tensor] = []
        labels: list[Tensor] = []  # of the questions so far, so that parents are always there
        for number, q in enumerate(self.questions):
            # question 6 hangs below 9 and 5, which pass everybody on: 9 is reached by 2.1, 5 by 2.2
            if not q.parents or (number == _ODD and self.published):
                share = torch.ones_like(p[..., 0])
            else:
                gone = torch.cat(labels, -1)
                share = sum((gone[..., a] for a in q.parents), torch.zeros_like(p[..., 0]))
            shares.append(share)
            labels.append(share[..., None] * p[..., q.slice])
        return torch.stack(shares, -1)

    def weights(self, p: Tensor) -> Tensor:
        """Labels ``[..., 37]``: the probabilities ``p`` within each question times the share that reaches it."""
        return p * self._spread(self.reach(p))

    def decode(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Take labels ``[..., 37]`` apart, the inverse of :meth:`weights`.

        Returns:
            The probabilities ``[..., 37]`` within each question (uniform where nobody reached it), and the share of
            volunteers who reached each, ``[..., 11]``. For question 6 that is the share of the tree, whatever the
            labels say.
        """
        self._check(labels, "decode")
        parts, shares = [], []
        for number, q in enumerate(self.questions):
            part = labels[..., q.slice]
            total = part.sum(-1, keepdim=True)
            reached = total > 1e-12
            parts.append(torch.where(reached, part / torch.where(reached, total, 1.0), 1.0 / len(q.answers)))
            of_tree = sum((labels[..., a] for a in q.parents), torch.zeros_like(labels[..., 0]))
            shares.append(of_tree if number == _ODD else total[..., 0])
        return torch.cat(parts, -1), torch.stack(shares, -1)

    def agreement(self, p: Tensor) -> Tensor:
        """Agreement ``1 - H(p) / log n`` on each question, ``[..., 11]``: 0 for a uniform answer, 1 for one voice.

        Source: arXiv 1503.07077, equation 12.

        Args:
            p: probabilities within each question, ``[..., 37]``, as of :meth:`normalise` or :meth:`decode`.
        """
        self._check(p, "agreement")
        found = []
        for q in self.questions:
            entropy = -torch.special.xlogy(p[..., q.slice], p[..., q.slice]).sum(-1)
            found.append(1 - entropy / math.log(len(q.answers)))
        return torch.stack(found, -1)

    def violations(self, labels: Tensor) -> Tensor:
        """How far each sum is from what it should be, ``[..., 11]``."""
        self._check(labels, "violations")
        sums = torch.stack([labels[..., q.slice].sum(-1) for q in self.questions], -1)
        return (sums - self._expected(labels)).abs()

    def check(self, labels: Tensor, ids: Sequence[str | int] | None = None, tolerance: float = 1e-4) -> None:
        """Refuse labels ``[N, 37]`` that violate the tree.

        Args:
            labels: of N images.
            ids: what the images are called.
            tolerance: how far a sum may be off.

        Raises:
            InputError: naming the first image and question, the sum, what was expected and the mend; or a shape, a
                value outside 0 to 1, or NaN.
        """
        if labels.ndim != 2 or labels.shape[1] != len(COLUMNS):
            raise InputError(f"galaxies: labels have shape {list(labels.shape)}; expected [N, {len(COLUMNS)}].")
        names = [str(i) for i in (range(len(labels)) if ids is None else ids)]
        outside = ~((labels >= -tolerance) & (labels <= 1 + tolerance))
        if outside.any():
            row, column = (int(v) for v in outside.nonzero()[0])
            raise InputError(
                f"galaxies: {COLUMNS[column]} of image {names[row]} is {float(labels[row, column]):g}; expected a "
                f"share between 0 and 1 ({int(outside.any(1).sum())} of {len(labels)} images). Mend or drop the row."
            )
        wrong = self.violations(labels) > tolerance
        if wrong.any():
            row, number = (int(v) for v in wrong.nonzero()[0])
            q = self.questions[number]
            total, want = float(labels[row, q.slice].sum()), float(self._expected(labels)[row, number])
            parents = " + ".join(COLUMNS[a] for a in q.parents)
            why = f", the sum of {parents}" if parents and not (number == _ODD and self.published) else ""
            other = f" or say published={not self.published}" if wrong.nonzero()[:, 1].eq(_ODD).all() else ""
            raise InputError(
                f"galaxies: the answers to question {number + 1} ({q.name}) of image {names[row]} sum to {total:.4f}; "
                f"expected {want:.4f}{why} ({int(wrong.any(1).sum())} of {len(labels)} images violate the tree by more "
                f"than {tolerance:g}). Mend or drop these rows{other}."
            )

    def _expected(self, labels: Tensor) -> Tensor:
        one = torch.ones_like(labels[..., 0])
        return torch.stack(
            [
                one
                if not q.parents or (number == _ODD and self.published)
                else sum((labels[..., a] for a in q.parents), torch.zeros_like(one))
                for number, q in enumerate(self.questions)
            ],
            -1,
        )

    def _spread(self, shares: Tensor) -> Tensor:
        """``[..., 11]`` to ``[..., 37]``: the number of a question for each of its answers."""
        parts = [shares[..., k : k + 1].expand(*shares.shape[:-1], len(q.answers)) for k, q in enumerate(_QUESTIONS)]
        return torch.cat(parts, -1)

    @staticmethod
    def _check(x: Tensor, what: str) -> None:
        if x.shape[-1] != len(COLUMNS):
            raise ValueError(
                f"GalaxyZooTree.{what}: got shape {list(x.shape)}; expected [..., {len(COLUMNS)}], one number for each "
                "answer. Give the network num_classes=37."
            )
