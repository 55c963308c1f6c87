"""The functions of a norm activation, as gates of the squared norm.

A norm activation sends a vector v to ``v * gate``, ``gate = f(n + b) / n``, ``n = sqrt(|v|^2 + eps)``: the new length
is f(n + b), the direction stays (Worrall et al., "Harmonic Networks", CVPR 2017, eq. 11; Weiler and Cesa, "General
E(2)-Equivariant Steerable CNNs", NeurIPS 2019, section 2.6). `eps` keeps the map and its derivatives finite at v = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class NormFunction(NamedTuple):
    """A gate and its derivatives, all of ``u = |v|^2 + eps`` and the bias b (broadcast together).

    Attributes:
        gate: (u, b) -> f(n + b) / n.
        terms: (u, b) -> (gate, d gate / dn / n, d gate / db).
    """

    gate: Callable[[Tensor, Tensor], Tensor]
    terms: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def _from_length(length: Callable[[Tensor], tuple[Tensor, Tensor]]) -> NormFunction:
    """The gate of a new length: `length` maps t = n + b to (f(t), f'(t))."""

    def gate(u: Tensor, b: Tensor) -> Tensor:
        r = torch.rsqrt(u)
        return length(u * r + b)[0] * r

    def terms(u: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        r = torch.rsqrt(u)
        value, slope = length(u * r + b)
        gate = value * r
        return gate, r * r * (slope - gate), slope * r

    return NormFunction(gate, terms)


def _relu_gate(u: Tensor, b: Tensor) -> Tensor:
    # relu(1 + b/n), with the cut inside the product: no boolean mask has to live from one pass to the other.
    return 1 + torch.clamp(b * torch.rsqrt(u), min=-1)


def _relu_terms(u: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r = torch.rsqrt(u)
    br = b * r
    slope = torch.where(br > -1, r, 0.0)
    return 1 + torch.clamp(br, min=-1), -br * r * slope, slope


def _elu(t: Tensor) -> tuple[Tensor, Tensor]:
    return F.elu(t), torch.exp(torch.clamp(t, max=0))


def _sigmoid(t: Tensor) -> tuple[Tensor, Tensor]:
    s = torch.sigmoid(t)
    return s, s * (1 - s)


def _softplus(t: Tensor) -> tuple[Tensor, Tensor]:
    return F.softplus(t), torch.sigmoid(t)


def _squash(t: Tensor) -> tuple[Tensor, Tensor]:
    # t^2 / (1 + t^2) of the positive part (Sabour et al., "Dynamic Routing Between Capsules", NeurIPS 2017, eq. 1).
    p = torch.relu(t)
    q = 1 + p * p
    return p * p / q, 2 * p / (q * q)


NORM_FUNCTIONS: dict[str, NormFunction] = {
    "relu": NormFunction(_relu_gate, _relu_terms),
    "elu": _from_length(_elu),
    "sigmoid": _from_length(_sigmoid),
    "softplus": _from_length(_softplus),
    "squash": _from_length(_squash),
}


def norm_function(name: str) -> NormFunction:
    """The function called `name`.

    Raises:
        ValueError: if there is none; the message lists the names.
    """
    if name not in NORM_FUNCTIONS:
        raise ValueError(f"norm_act: no function {name!r}; choose one of {', '.join(sorted(NORM_FUNCTIONS))}.")
    return NORM_FUNCTIONS[name]
