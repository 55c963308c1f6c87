"""Every profile under lenstronomy's name, with lenstronomy's words for its parameters.

The table is all that a scene knows of a profile: a new one is a new row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from steerable.tasks.lensing.profiles.isothermal import sie_deflection
from steerable.tasks.lensing.profiles.nfw import nfw_ratio
from steerable.tasks.lensing.profiles.point_mass import point_ratio
from steerable.tasks.lensing.profiles.power_law import epl_deflection
from steerable.tasks.lensing.profiles.pseudo_jaffe import pseudo_jaffe_ratio
from steerable.tasks.lensing.profiles.sersic import sersic
from steerable.tasks.lensing.profiles.shear import shear_deflection

__all__ = ["LENSES", "SOURCES", "Profile"]

Values = dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Profile:
    """What a kind of lens or source is made of.

    Attributes:
        parameters: names, in lenstronomy's words; a name that is not in `defaults` must be given.
        centre: the two coordinates of the origin; they turn with the sky.
        spin_2: two parameters that turn twice as fast, such as an ellipticity; empty for round profiles.
        strength: the parameter that is 0 where nothing is.
        positive: parameters that must be above 0.
        bounds: (low, high) open intervals of other parameters.
        deflection: (x, y, values) -> two components, x and y from the centre; of a lens without `ratio`.
        ratio: (dx^2, dy^2, values) -> deflection over position as (shape, factor), the factor without pixels; of a
            round lens, of which a scene may hold many.
        light: (x, y, values) -> surface brightness; of a source.
    """

    parameters: tuple[str, ...]
    centre: tuple[str, str]
    strength: str
    spin_2: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    bounds: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    deflection: Callable[[Tensor, Tensor, Values], tuple[Tensor, Tensor]] | None = None
    ratio: Callable[[Tensor, Tensor, Values], tuple[Tensor, Tensor]] | None = None
    light: Callable[[Tensor, Tensor, Values], Tensor] | None = None

    @property
    def defaults(self) -> tuple[str, ...]:
        """Parameters that are 0 unless given: the centre."""
        return self.centre


_CENTRE = ("center_x", "center_y")
_INDEX = {"n_sersic": (0.17, float("inf"))}  # below, 1.9992 n - 0.3271 is negative and the light grows outwards


def _round_sersic(x: Tensor, y: Tensor, v: Values) -> Tensor:
    zero = torch.zeros_like(v["amp"])
    return sersic(x, y, v["R_sersic"], v["n_sersic"], zero, zero, v["amp"])


LENSES = {
    "SIE": Profile(
        ("theta_E", "e1", "e2", *_CENTRE),
        _CENTRE,
        "theta_E",
        ("e1", "e2"),
        deflection=lambda x, y, v: sie_deflection(x, y, v["theta_E"], v["e1"], v["e2"]),
    ),
    "EPL": Profile(
        ("theta_E", "gamma", "e1", "e2", *_CENTRE),
        _CENTRE,
        "theta_E",
        ("e1", "e2"),
        ("theta_E",),
        {"gamma": (1.0, 3.0)},
        deflection=lambda x, y, v: epl_deflection(x, y, v["theta_E"], v["gamma"], v["e1"], v["e2"]),
    ),
    "SHEAR": Profile(
        ("gamma1", "gamma2", "ra_0", "dec_0"),
        ("ra_0", "dec_0"),
        "gamma1",
        ("gamma1", "gamma2"),
        deflection=lambda x, y, v: shear_deflection(x, y, v["gamma1"], v["gamma2"]),
    ),
    "CONVERGENCE": Profile(
        ("kappa", "ra_0", "dec_0"),
        ("ra_0", "dec_0"),
        "kappa",
        deflection=lambda x, y, v: (v["kappa"] * x, v["kappa"] * y),
    ),
    "POINT_MASS": Profile(
        ("theta_E", *_CENTRE), _CENTRE, "theta_E", ratio=lambda x2, y2, v: point_ratio(x2, y2, v["theta_E"])
    ),
    "NFW": Profile(
        ("Rs", "alpha_Rs", *_CENTRE),
        _CENTRE,
        "alpha_Rs",
        positive=("Rs",),
        ratio=lambda x2, y2, v: nfw_ratio(x2, y2, v["Rs"], v["alpha_Rs"]),
    ),
    "PJAFFE": Profile(
        ("sigma0", "Ra", "Rs", *_CENTRE),
        _CENTRE,
        "sigma0",
        positive=("Ra", "Rs"),
        ratio=lambda x2, y2, v: pseudo_jaffe_ratio(x2, y2, v["sigma0"], v["Ra"], v["Rs"]),
    ),
}
"""Lenses by kind."""

SOURCES = {
    "SERSIC": Profile(
        ("amp", "R_sersic", "n_sersic", *_CENTRE),
        _CENTRE,
        "amp",
        positive=("R_sersic",),
        bounds=_INDEX,
        light=_round_sersic,
    ),
    "SERSIC_ELLIPSE": Profile(
        ("amp", "R_sersic", "n_sersic", "e1", "e2", *_CENTRE),
        _CENTRE,
        "amp",
        ("e1", "e2"),
        ("R_sersic",),
        _INDEX,
        light=lambda x, y, v: sersic(x, y, v["R_sersic"], v["n_sersic"], v["e1"], v["e2"], v["amp"]),
    ),
}
"""Sources by kind."""
