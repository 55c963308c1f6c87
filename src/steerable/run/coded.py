"""Compression: how good what comes out is, and what it costs; beside a mean, and beside a few harmonics."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import Samples
from steerable.domains.sphere import Sphere
from steerable.groups import SO2
from steerable.nn import SHT, InverseSHT
from steerable.run.dense import known_mean
from steerable.run.domains import domain_of
from steerable.run.domains.sphere import sphere_of
from steerable.run.scores import predict

#: what floors of compressions are called in a run
CODED = "sphere_coded"
# bits of a coefficient of the linear floor, and where it may end
_BITS, _DEGREES = 8, (1, 2, 3, 4, 6, 8, 12, 16, 24)


def square_error(out: Tensor, y: Tensor, areas: Tensor | None = None) -> Tensor:
    """Return the mean square error of each sample over its channels and places, by area, ``[N]``.

    Args:
        out, y: ``[N, C + 1, *places]``; the last channel holds bits and is left out.
        areas: of the places, mean 1.
    """
    error = (out[:, :-1] - y[:, :-1]).square()
    return (error if areas is None else error * areas.to(error)).flatten(1).mean(1)


def coded_figures(out: Tensor, y: Tensor, areas: Tensor | None = None) -> dict[str, float]:
    """Return the mean peak signal-to-noise ratio of the samples in decibels, of a range of 1, and bits a sample."""
    error = square_error(out.double().clamp(0, 1), y.double(), areas).clamp_min(1e-12)
    return {"psnr": float((-10 * error.log10()).mean()), "rate": float(out[:, -1].double().mean())}


def coded_scores(model: nn.Module, data: Samples) -> dict[str, Any]:
    """Score a codec on samples, and on the same turned.

    Args:
        model: ``[B, C, *places] -> [B, C + 1, *places]``.
        data: the test part.

    Returns:
        psnr, psnr_turned (of what comes out against the turned input), rate (bits a sample, as estimated), loss,
        images.
    """
    domain = domain_of(data)
    areas = domain.areas(data)
    turned = domain.turn(None, data).turned(data).clamp(0, 1)
    truth = torch.cat([turned, torch.zeros_like(turned[:, :1])], 1)
    found = both(predict(model, data.x), data, areas)
    return {**found, "psnr_turned": coded_figures(predict(model, turned), truth, areas)["psnr"], "images": len(data)}


def both(out: Tensor, data: Samples, areas: Tensor | None) -> dict[str, float]:
    """Return PSNR, rate and the loss in which they are traded."""
    trade = data.target.trade if data.target is not None else 0.0
    error = float(square_error(out, data.y, areas).mean())
    return {**coded_figures(out, data.y, areas), "loss": float(out[:, -1].mean()) + trade * 255**2 * error}


class LowPass:
    """The linear floor: the first degrees of each channel, 8 bits for each coefficient.

    Args:
        sphere: where the fields lie.
        degrees: below which coefficients are kept.
    """

    def __init__(self, sphere: Sphere, degrees: int) -> None:
        self.sphere, self.degrees = sphere, degrees
        one = 1 * SO2().trivial
        self._sht, self._back = (layer(sphere, one, degrees).double() for layer in (SHT, InverseSHT))

    def __call__(self, x: Tensor) -> Tensor:
        """Fields ``[N, C, *shape]`` as they come out, and the bits that a sample costs, ``[N, C + 1, *shape]``."""
        flat = x.double().flatten(0, 1)[:, None]
        out = self._back(self._sht(flat)).reshape(x.shape)
        rate = _BITS * self.degrees**2 * x.shape[1] / self.sphere.num_points
        return torch.cat([out, torch.full_like(out[:, :1], rate)], 1).float()

    def to_json(self) -> list[dict[str, int]]:
        """Return the number of degrees."""
        return [{"degrees": self.degrees}]


def fit_coded(train: Samples, val: Samples) -> tuple[dict[str, Any], LowPass]:
    """Return the mean of each channel of training, and the low pass of the smallest loss on validation."""
    sphere, areas = sphere_of(train), domain_of(train).areas(train)
    y = train.y.double()
    mean = [float(known_mean(c, torch.ones_like(c, dtype=torch.bool), areas)) for c in y.unbind(1)]
    best, lowest = LowPass(sphere, 1), math.inf
    for degrees in _DEGREES:
        if degrees > sphere.usual_band:
            break
        floor = LowPass(sphere, degrees)
        loss = both(floor(val.x), val, areas)["loss"]  # type: ignore[arg-type]
        if loss < lowest:
            best, lowest = floor, loss
    return {"mean": mean}, best


def coded_floors(constant: dict[str, Any], linear: LowPass, data: Samples) -> dict[str, dict[str, Any]]:
    """Return the figures of both floors; a turn changes neither."""
    areas = domain_of(data).areas(data)
    mean = torch.tensor(constant["mean"]).view(-1, *[1] * len(data.places)).expand(data.y.shape)
    rows = {"constant": both(mean, data, areas), "linear": both(linear(data.x), data, areas)}  # type: ignore[arg-type]
    return {name: {**row, "psnr_turned": row["psnr"]} for name, row in rows.items()}
