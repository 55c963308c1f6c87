"""Masks, dropout, upsampling, padding."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import steerable as st
from steerable.domains.grid import PixelGrid
from steerable.nn.dropout import FieldDropout
from steerable.nn.mask import DiscMask
from steerable.nn.pad import Pad2d
from steerable.nn.upsample import Upsample2d

spec = importlib.util.spec_from_file_location("layer_checks", Path(__file__).with_name("layer_checks.py"))
checks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checks)
C4, C5, D3, PLANAR, TYPES = checks.C4, checks.C5, checks.D3, checks.PLANAR, checks.TYPES
channel_error, draw, lattice_error, tooling = checks.channel_error, checks.draw, checks.lattice_error, checks.tooling

LAYERS = {
    "mask": DiscMask,
    "mask wide": lambda t: DiscMask(t, margin=1.5),
    "upsample bilinear": lambda t: Upsample2d(t, 2),
    "upsample odd factor": lambda t: Upsample2d(t, 1.5),
    "upsample corners": lambda t: Upsample2d(t, size=11, align_corners=True),
    "upsample bicubic": lambda t: Upsample2d(t, size=13, mode="bicubic"),
    "upsample nearest": lambda t: Upsample2d(t, 3, mode="nearest"),
    "pad zeros": lambda t: Pad2d(t, 2),
    "pad reflect": lambda t: Pad2d(t, 1, "reflect"),
    "pad circular": lambda t: Pad2d(t, 1, "circular"),
    "pad replicate": lambda t: Pad2d(t, 2, "replicate"),
    "dropout": FieldDropout,
}


@pytest.mark.parametrize("type", PLANAR.values(), ids=PLANAR)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("side", [5, 6])
def test_exact_on_the_lattice(name: str, type, side: int) -> None:
    layer = LAYERS[name](type).double().eval()
    assert lattice_error(layer, type, type, draw(type, side, side)) < 1e-10


def test_law_catches_what_moves_the_centre() -> None:
    type = PLANAR["C4"]
    x = draw(type, 5, 5)
    assert lattice_error(lambda v: F.pad(v, (0, 1, 0, 1)), type, type, x) > 1e-2
    assert lattice_error(lambda v: F.interpolate(v, scale_factor=1.5, mode="bilinear"), type, type, x) > 1e-2
    assert lattice_error(lambda v: F.interpolate(v, size=7, mode="nearest"), type, type, x) > 1e-2
    corner = torch.ones(5, 5, dtype=torch.float64)
    corner[0, 0] = 0
    assert lattice_error(lambda v: v * corner, type, type, x) > 1e-2


@pytest.mark.parametrize("shape", [(9, 9), (8, 8), (7, 11), (1, 1)])
@pytest.mark.parametrize("margin", [0.0, 1.0, 2.0])
def test_mask_is_the_disc_of_the_grid(shape: tuple[int, int], margin: float) -> None:
    x = torch.ones(2, 3, *shape)
    torch.testing.assert_close(DiscMask(3 * C4.trivial, margin)(x)[0, 0].bool(), PixelGrid(*shape).disc(margin))


@pytest.mark.parametrize("name", TYPES)
def test_dropout_drops_whole_fields(name: str) -> None:
    type = TYPES[name]
    layer = FieldDropout(type, 0.4).double().train()
    x = draw(type, 4, 3, batch=50)

    def seeded(v: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return layer(v)

    assert channel_error(seeded, type, type, x) < 1e-10
    y = seeded(x)
    kept = (y != 0).flatten(2)
    for b in type.blocks:
        field = kept[:, b.start : b.stop].reshape(50, b.multiplicity, -1)
        assert (field.all(-1) | ~field.any(-1)).all()
    assert 0.4 < kept.double().mean() < 0.8
    torch.testing.assert_close(y[kept.reshape(y.shape)], x[kept.reshape(y.shape)] / 0.6)
    assert layer(x[:0]).shape[0] == 0 and torch.equal(layer.eval()(x), x)


def test_law_catches_dropout_of_single_channels() -> None:
    type = TYPES["C5"]

    def seeded(v: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return F.dropout2d(v, 0.4)

    assert channel_error(seeded, type, type, draw(type, 4, 3)) > 1e-2


@pytest.mark.parametrize("name", ["mask", "upsample odd factor", "upsample nearest", "pad circular", "dropout"])
def test_tooling(name: str) -> None:
    type = C4.regular + C4.irrep("1")
    tooling(LAYERS[name](type), draw(type, 4, 4, batch=2))


def test_dropout_bakes_away_and_sequential_takes_all() -> None:
    type = 2 * D3.regular
    net = st.nn.Sequential(DiscMask(type), FieldDropout(type), Pad2d(type, 1), Upsample2d(type, 2))
    baked = st.nn.bake(net)
    assert len(baked) == 3 and not any(isinstance(m, nn.Dropout) for m in baked)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: Upsample2d(t), "either scale_factor or size"),
        (lambda t: Upsample2d(t, 2, mode="area"), "got 'area'"),
        (lambda t: Upsample2d(t, 1.5, mode="nearest"), "integer scale_factor"),
        (lambda t: Pad2d(t, -1), "got -1"),
        (lambda t: Pad2d(t, 1, "same"), "got 'same'"),
        (lambda t: DiscMask(t, -1), "got -1"),
        (lambda t: FieldDropout(t, 1.5), "got 1.5"),
        (lambda t: DiscMask(t)(torch.zeros(2, 3, 4, 4)), "expects 12"),
    ],
)
def test_errors_name_what_was_given(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(PLANAR["C4"])
