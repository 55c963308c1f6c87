"""The linear floor of fields on the sphere: the best isotropic linear filter, of any spin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from steerable.domains.sphere import Sphere
from steerable.fields.type import FieldType
from steerable.tasks.sky.harmonics import filtered

_CHUNK = 8
PENALTIES = (1e-6, 1e-4, 1e-2, 1.0)


class FilterFloor:
    """Every field of the answer as a sum of isotropic filters of the fields of the input: it commutes with rotations.

    Scalars have a constant as well. The coefficients are those of least squares by area over the places whose value is
    known, with a penalty that validation chooses.

    Args:
        sphere: where the fields lie.
        type: of the input.
        out: of the answer.
        weights: of each field of the answer: the coefficients ``[F]``, and the constant.
    """

    def __init__(
        self, sphere: Sphere, type: FieldType, out: FieldType, weights: Sequence[tuple[Tensor, float]] = ()
    ) -> None:
        self.sphere, self.type, self.out, self.weights = sphere, type, out, list(weights)

    def fit(self, train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor]) -> FilterFloor:
        """Fit to fields ``[N, C, *shape]`` and values ``[N, K, *shape]``, NaN where there is none; return itself."""
        for k, rep in enumerate(self.out.fields):
            gram, right, mean = self._normal(train, k)
            held = self._normal(validation, k)
            scale = gram.diagonal().clamp_min(1e-12).sqrt()
            best = None
            for penalty in PENALTIES:
                left = gram / scale[:, None] / scale + penalty * torch.eye(len(gram), dtype=torch.float64)
                w = torch.linalg.solve(left, right / scale) / scale
                loss = float(w @ held[0] @ w - 2 * w @ held[1])
                if best is None or loss < best[0]:
                    best = (loss, w)
            if best is None:
                raise ValueError(f"FilterFloor: penalties {PENALTIES}; expected at least one")
            w = best[1]
            # the first degree of a scalar is its mean: what is left is the constant
            constant = float(mean[0] - mean[1:] @ w) if rep.is_trivial else 0.0
            self.weights.append((w, constant))
        return self

    def _parts(self, k: int) -> tuple[FieldType, slice]:
        reps = list(self.out.fields)
        start = sum(r.size for r in reps[:k])
        return FieldType(self.out.group, [(1, reps[k])]), slice(start, start + reps[k].size)

    def _normal(self, data: tuple[Tensor, Tensor], k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Gram matrix, right side and means (value, then features) over the known places of one field."""
        one, part = self._parts(k)
        scalar = next(iter(one.fields)).is_trivial
        area = self.sphere.flat_weights().reshape(self.sphere.shape)
        sums: list[Tensor] = []
        for x, y in zip(data[0].split(_CHUNK), data[1].split(_CHUNK), strict=True):
            f = filtered(x, self.sphere, self.type, one)
            v = y[:, part].double()
            known = torch.isfinite(v) * area
            v = torch.where(torch.isfinite(v), v, 0)
            all_ = torch.cat([v[:, None], f, torch.ones_like(v)[:, None]], 1).transpose(0, 1).flatten(1)
            gram = (all_ * known.flatten()) @ all_.mT
            sums.append(gram)
        total = torch.stack(sums).sum(0)
        total = total / total[-1, -1].clamp_min(1e-30)
        mean = total[-1, :-1] if scalar else torch.zeros_like(total[-1, :-1])
        centred = total[:-1, :-1] - mean[:, None] * mean
        return centred[1:, 1:], centred[1:, 0], mean

    def __call__(self, x: Tensor) -> Tensor:
        """Values ``[N, K, *shape]``, float64."""
        found = []
        for k, (w, constant) in enumerate(self.weights):
            one, _ = self._parts(k)
            rows = [torch.einsum("nf...,f->n...", filtered(p, self.sphere, self.type, one), w) for p in x.split(_CHUNK)]
            found.append(torch.cat(rows) + constant)
        return torch.cat(found, 1)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the coefficients as plain JSON."""
        return [{"weight": w.tolist(), "constant": c} for w, c in self.weights]

    @staticmethod
    def from_json(value: list[dict[str, Any]], sphere: Sphere, type: FieldType, out: FieldType) -> FilterFloor:
        """Build from what :meth:`to_json` returned."""
        weights = [(torch.tensor(v["weight"], dtype=torch.float64), float(v["constant"])) for v in value]
        return FilterFloor(sphere, type, out, weights)
