"""Maps of the report: units, grey where nothing is known, arrows along the meridians and of one scale."""

from __future__ import annotations

import math

import pytest
import torch

from steerable.data import Samples, Target
from steerable.domains.sphere import Sphere
from steerable.run.page.map_pictures import Panel, map_pictures
from steerable.run.page.pictures import new_figure
from steerable.run.page.places import rows
from steerable.run.page.seen import RAW, STANDARDISED, as_given
from steerable.tasks.sky.pictures import draw_field, on_map

SPHERE = Sphere.gauss(8)


def record(input="pixels", steps=(), settings=None, **options):
    found = {"config": {"data": {"options": options}}, "in_channels": 3, "type": "3x0"}
    return {**found, "input": input, "preprocessing": list(steps), "input_settings": settings or {}}


def test_inputs_are_drawn_in_units_and_unknown_where_they_were_masked():
    raw = torch.rand(2, 2, 8, 16) + 1
    mask = torch.ones(2, 1, 8, 16)
    mask[:, :, 3] = 0
    seen = torch.cat([raw * mask, mask], 1)
    found, said = as_given(seen / 7, record(steps=[{"step": "divide", "by": 7.0}], mask_value=-1.0))
    assert said == RAW
    assert bool(found[:, :2, 3].isnan().all()) and not found[:, :2, [0, 5]].isnan().any()
    assert torch.allclose(found[:, :2, 4], raw[:, :, 4].double())
    assert torch.equal(found[:, 2:], mask.double())
    settings = {"mean": [3.0, 1.0], "scale": [2.0, math.inf]}
    found, said = as_given(torch.tensor([0.5, 0.0]).view(1, 2, 1, 1), record("standardised", settings=settings))
    assert said == RAW and found.flatten().tolist() == [4.0, 1.0]
    found, said = as_given(seen, record("prepared views of one globe"))  # a mask of a task, without an option
    assert said == STANDARDISED and bool(found[:, :2, 3].isnan().all()) and torch.equal(found[:, 2:], mask.double())
    assert as_given(raw, record())[0].isfinite().all()


def test_masks_of_single_fields():
    raw = torch.rand(1, 3, 8, 16) + 1
    masks = torch.ones(1, 2, 8, 16)
    masks[:, 0, 3], masks[:, 1, 5] = 0, 0
    mean, by, known = [2.0, 0.0, 0.0, 0.0, 0.0], [3.0, 0.5, 0.5, 1.0, 1.0], [3, 4, 4, 3, 4]
    wide = masks[:, [0, 1, 1]]
    shape = (-1, 1, 1)
    seen = (raw - torch.tensor(mean[:3]).view(shape)) * wide / torch.tensor(by[:3]).view(shape)
    step = {"step": "fields", "mean": mean, "by": by, "known": known}
    about = {**record(steps=[step], mask_value=0.0, mask="fields"), "in_channels": 5, "type": "1x0 + 1x1 + 2x0"}
    found, said = as_given(torch.cat([seen, masks], 1), about)
    assert said == RAW and torch.equal(found[:, 3:], masks.double())
    assert torch.equal(found[:, :3].isnan(), wide == 0)
    assert torch.allclose(found[:, :3][wide > 0], raw[wide > 0].double(), atol=1e-6)


def test_arrows_turn_with_the_projection():
    def place(longitude, latitude):
        t = latitude.clone()
        for _ in range(99):
            t = t - (2 * t + (2 * t).sin() - math.pi * latitude.sin()) / (2 + 2 * (2 * t).cos())
        return torch.stack([2 * math.sqrt(2) / math.pi * longitude * t.cos(), math.sqrt(2) * t.sin()], 1)

    longitude, latitude, angle = (torch.rand(3, 99, dtype=torch.float64) - 0.5) * torch.tensor([[6.0], [3.0], [6.0]])
    east, north = 1e-5 * angle.sin() / latitude.cos(), -1e-5 * angle.cos()
    along = place(longitude + east, latitude + north) - place(longitude - east, latitude - north)
    found = torch.stack(on_map(longitude, latitude, angle), 1)
    assert float((along / along.norm(dim=1, keepdim=True) - found).abs().max()) < 1e-6
    left = torch.stack(on_map(*torch.tensor([[-2.0], [0.7], [math.pi]], dtype=torch.float64)))
    assert float(left[0]) > 0.5  # north leans to the middle


def drawn(vectors, **options):
    return draw_field(new_figure(4, 3).add_subplot(projection="mollweide"), vectors, SPHERE, **options)


def test_arrows_have_one_scale_and_rods_have_no_heads():
    south = torch.stack([torch.ones(8, 16), torch.zeros(8, 16)])
    assert drawn(south).scale == pytest.approx(20) and drawn(south / 2, longest=1.0).scale == pytest.approx(20)
    rods = drawn(torch.stack([-south[0], south[1]]), spin=2)  # Q below 0: from west to east
    assert rods.headwidth == 0 and rods.pivot == "middle"
    assert float(abs(rods.V).max()) < 1e-9
    gaps = south.clone()
    gaps[:, :4] = torch.nan
    assert 0 < drawn(gaps).N < drawn(south).N
    with pytest.raises(ValueError, match="spin 3; expected 1"):
        drawn(south, spin=3)


def test_truth_and_answer_are_drawn_alike_and_with_their_unit(monkeypatch):
    y = torch.randn(1, 2, 8, 16)
    for type, spin in (("1x1", 1), ("1x2", 2)):
        target = Target("wind", "m/s", ("south", "east"), everywhere=True, type=type)
        few = Samples(torch.randn(1, 1, 8, 16), y, target, sampling="gauss(8)")
        found = rows(few, few.x[0], 3 * y, 0)
        truth, answer, error = found[-1]
        assert truth.longest == answer.longest == error.longest == pytest.approx(3 * float(y.norm(dim=1).max()))
        assert {p.unit for p in found[-1]} == {"m/s"} and {p.spin for p in found[-1]} == {spin}
        assert map_pictures(found, SPHERE)[:4] == b"\x89PNG"
    labels = []
    monkeypatch.setattr("matplotlib.colorbar.Colorbar.set_label", lambda self, text, **_: labels.append(text))
    map_pictures([[Panel("t", y[0, 0], unit="uK")]], SPHERE)
    assert labels[-1] == "uK"
