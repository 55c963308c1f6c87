"""Made-up fields on the sphere with answers of every kind, as a reader of `steerable fit`."""

from __future__ import annotations

import torch

import steerable as st
from steerable.data import Regions, Samples, Splits, Target
from steerable.domains.sphere import parse_sphere
from steerable.tasks.sky.harmonics import filtered

SO2 = st.SO2()
SCALAR, VECTOR = SO2.type("1x0"), SO2.type("1x1")
WIND = Target("wind", "m/s", ("south", "east"), everywhere=True, type="1x1")


def smooth(sphere, count, generator, band=6):
    """Random scalars of degrees below `band`, ``[count, 1, *shape]``."""
    c = torch.randn(count, band * band, generator=generator, dtype=torch.float64)
    return st.nn.InverseSHT(sphere, SCALAR, band).double()(c)


def gradients(x, sphere):
    """A field of spin 1 that is linear in scalars, of the size of 1."""
    parts = filtered(x, sphere, SCALAR, VECTOR)
    weights = torch.linspace(-1, 1, parts.shape[1], dtype=torch.float64)
    found = torch.einsum("nf...,f->n...", parts, weights)
    return found / 3.4


def made(root=None, kind="wind", sampling="gauss(12)", train=12, unknown=2):
    """Splits of one kind: wind, height, regions, classes, value or spins (input with a spin)."""
    sphere = parse_sphere(sampling)
    generator = torch.Generator().manual_seed(0)
    parts = []
    for count in (train, 4, 6):
        x = smooth(sphere, count, generator)
        flat = x.flatten(1)
        source, kwargs = f"made {kind}", {"sampling": sampling}
        if kind == "wind":
            y = gradients(x, sphere).float()
            y.flatten(2)[:, :, :unknown] = torch.nan
            parts.append(Samples(x.float(), y, WIND, source, **kwargs))
        elif kind == "height":
            y = (x.square() - 1).float()
            parts.append(Samples(x.float(), y, Target("height", "km", everywhere=True), source, **kwargs))
        elif kind == "regions":
            y = (x[:, 0] > 0.5).long() + (x[:, 0] > 2).long()
            y.flatten(1)[:, :unknown] = -1
            parts.append(Samples(x.float(), y, Regions(("low", "middle", "high")), source, **kwargs))
        elif kind == "classes":
            y = (torch.arange(count) % 2).long()
            x = torch.where(y[:, None, None, None] == 1, x, x.abs())
            parts.append(Samples(x.float(), y, ("absolute", "signed"), source, **kwargs))
        elif kind == "value":
            parts.append(Samples(x.float(), flat.std(1).float(), Target("spread"), source, **kwargs))
        else:
            both = torch.cat([x, gradients(x, sphere)], 1).float()
            target = Target("height", everywhere=True)
            parts.append(Samples(both, x.float(), target, source, type="1x0 + 1x1", **kwargs))
    return Splits(*parts)
