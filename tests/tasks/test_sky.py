"""Fields of the Earth and the sky: orientation, turned views with their frames, and no place in two parts."""

from __future__ import annotations

import inspect
import math
import os
from pathlib import Path

import pytest
import torch
import yaml

from steerable.data import InputError
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.groups import SO2, SO3
from steerable.models import create_model
from steerable.nn import SHT
from steerable.run.config import DataConfig
from steerable.run.readers import READERS, check_options, load_data
from steerable.tasks.sky import draw_rotations, earth, earth_elevation, microwave, ocean_basins, wind, wmap
from steerable.tasks.sky.blocks import Blocks, hidden
from steerable.tasks.sky.globe import Globe, places
from steerable.tasks.sky.views import Survey

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")


def turns(n=3, seed=5):
    return SO3().sample(n, torch.Generator().manual_seed(seed))


def tangent(points, frames, vector):
    """Components along south and east ``[2, ...]`` of vectors of space given at points."""
    return torch.einsum("...ij,...i->j...", frames[..., :2], vector)


def solid_wind(sphere, axis):
    """The velocity of a solid body that turns about an axis: ``axis x p``."""
    p = sphere.points()
    return tangent(p, sphere.frames(), torch.linalg.cross(axis.expand_as(p), p))


# ---- views


SAMPLINGS = [("gauss(12)", 1e-6), ("healpix(8)", 1e-6), ("icosahedral(3)", 1e-6), ("equiangular(16, dh)", 1e-6)]


@pytest.mark.parametrize(("name", "bound"), SAMPLINGS)
def test_solid_body_winds_turn_as_vectors(name, bound):
    """A wind about an axis, turned by g, is the wind about the turned axis: frames and signs are right."""
    source, sphere = Sphere.equiangular(nlat=41, kind="cc"), parse_sphere(name)
    axis = torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)
    globe = Globe(source, solid_wind(source, axis), "1x1", sphere, 0.0)
    rotations = turns()
    views = globe.views(rotations)
    for g, view in zip(rotations, views, strict=True):
        right = solid_wind(sphere, SO3().action(g, 3) @ axis)
        assert (view - right).abs().max() < bound
        wrong = solid_wind(sphere, SO3().action(SO3().inverse(g), 3) @ axis)  # the other way round
        assert (view - wrong).abs().max() > 0.1
    scalars = Globe(source, solid_wind(source, axis), "2x0", sphere, 0.0).views(rotations)  # frames forgotten
    assert (scalars - views).abs().max() > 0.1


def tensor_field(sphere, matrix):
    """Q along south and U half way to east of a symmetric tensor of space: a field of spin 2."""
    south, east = sphere.frames()[..., 0], sphere.frames()[..., 1]
    at = lambda a, b: torch.einsum("...i,ij,...j->...", a, matrix, b)  # noqa: E731
    return torch.stack([at(south, south) - at(east, east), 2 * at(south, east)])


@pytest.mark.parametrize(("name", "bound"), SAMPLINGS)
def test_polarisation_turns_with_spin_two(name, bound):
    source, sphere = Sphere.equiangular(nlat=41, kind="cc"), parse_sphere(name)
    m = torch.tensor([[1.0, 0.3, -0.6], [0.3, -0.4, 0.2], [-0.6, 0.2, 0.5]], dtype=torch.float64)
    globe = Globe(source, tensor_field(source, m), "1x2", sphere, 0.0)
    iau = Globe(source, tensor_field(source, m) * torch.tensor([1.0, -1.0])[:, None, None], "1x2", sphere, 0.0)
    sign = torch.tensor([1.0, -1.0]).view(2, *[1] * len(sphere.shape))
    for g, view, other in zip(turns(), globe.views(turns()), iau.views(turns()), strict=True):
        r = SO3().action(g, 3)
        right = tensor_field(sphere, r @ m @ r.T)
        assert (view - right).abs().max() < bound
        assert (other * sign - right).abs().max() > 0.1  # the other convention does not turn as a field


def test_views_are_the_transform_of_the_sphere():
    """Turning the globe is ``Sphere.transform`` of the upright view, spins 0, 1, 2: exact, for views hold a band."""
    source, sphere = Sphere.equiangular(nlat=64, nlon=128, kind="fejer", shift=0.5), Sphere.gauss(12)
    x = torch.randn(6, *source.shape, generator=torch.Generator().manual_seed(0))
    fields = SO2().type("2x0 + 1x1 + 1x2")
    globe = Globe(source, x, "2x0 + 1x1 + 1x2", sphere, 0.7)
    upright = globe.views(draw_rotations(1, "none", torch.Generator()))
    for g in turns():
        error = (globe.views(g[None]) - sphere.transform(upright, fields, g)).abs().max() / upright.abs().max()
        assert error < 2e-6
        swapped = sphere.transform(upright, SO2().type("4x0 + 1x2"), g)
        assert (globe.views(g[None]) - swapped).abs().max() / upright.abs().max() > 0.1


def test_smoothing_is_the_gaussian_of_the_sphere():
    source, sphere = Sphere.equiangular(nlat=64, nlon=128, kind="fejer", shift=0.5), Sphere.gauss(12)
    z = source.points()[..., 2]
    upright = draw_rotations(1, "none", torch.Generator())
    cubic = (5 * z**3 - 3 * z) / 2  # degree 3
    found = Globe(source, cubic[None], "", sphere, 0.7).views(upright)[0, 0]
    exact = (5 * sphere.points()[..., 2] ** 3 - 3 * sphere.points()[..., 2]) / 2
    damped = exact * math.exp(-3 * 4 * (0.7 * sphere.spacing) ** 2 / 2)
    assert (found - damped).abs().max() < 1e-6 < 0.01 < (found - exact).abs().max()
    with pytest.raises(InputError, match="smoothing is -1"):
        Globe(source, cubic[None], "", sphere, -1)


def test_poses():
    axis = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    moved = {p: SO3().action(draw_rotations(20, p, torch.Generator().manual_seed(1)), 3) for p in ("any", "upright")}
    assert torch.allclose(moved["upright"] @ axis, axis.expand(20, 3)) and len(moved["upright"].unique(dim=0)) == 20
    assert (moved["any"] @ axis - axis).norm(dim=-1).max() > 1
    g = turns(1)
    sphere = Sphere.gauss(4)
    assert torch.allclose(places(sphere, g)[0], sphere.points() @ SO3().action(g[0], 3))
    with pytest.raises(InputError, match="pose is 'sideways'"):
        draw_rotations(1, "sideways", torch.Generator())


# ---- blocks


def distance(a, b):
    return torch.acos((a @ b.T).clamp(-1, 1))


def gap(parts, points):
    """The smallest distance of places of different parts."""
    groups = [points[parts == k] for k in range(3)]
    return min(float(distance(groups[i], groups[j]).min()) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_blocks_keep_the_parts_apart():
    points = Sphere.fibonacci(6000).points()
    margin = math.radians(4)
    blocks = Blocks.deal(20, margin, 3)
    parts = blocks.parts(points)
    share = torch.bincount(blocks.part) / len(blocks.part)
    assert (share - torch.tensor([0.6, 0.15, 0.25])).abs().max() < 0.04
    assert gap(parts, points) >= margin
    assert gap(Blocks.deal(20, 0.0, 3).parts(points), points) < 0.7 * margin  # without a margin it is not kept
    # what is left out lies near another part
    assert 0.1 < (parts == -1).double().mean() < 0.4
    left, owner = points[parts == -1], blocks.part[blocks.number(points)]
    same = owner == blocks.part[blocks.number(left)][:, None]
    assert distance(left, points).masked_fill(same, 9).amin(1).max() < 2 * margin
    assert torch.equal(parts, Blocks.deal(20, margin, 3).parts(points))
    assert not torch.equal(parts, Blocks.deal(20, margin, 4).parts(points))
    for wide in (60, 5, 0):
        with pytest.raises(InputError, match="width"):
            Blocks.deal(wide, margin, 0)


def test_no_place_of_the_test_is_trained():
    survey = Survey.of("gauss(16)", 6, 2, 4, width=25.0)
    groups = [v.places[v.mine] for v in survey.views]
    assert (
        min(float(distance(groups[i], groups[j]).min()) for i, j in ((0, 1), (0, 2), (1, 2))) >= survey.sphere.spacing
    )
    # blocks that stay where they are while the globe turns would leak
    fixed = [v.places[survey.blocks.parts(survey.sphere.points()).expand(len(v.places), -1, -1) == k]
             for k, v in enumerate(survey.views)]  # fmt: skip
    assert float(distance(fixed[0], fixed[2]).min()) < survey.sphere.spacing / 4


def test_hidden_and_standardised():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    known = torch.rand(2, 4, 5) < 0.5
    assert torch.equal(torch.isfinite(hidden(x, known)), known[:, None].expand(2, 3, 4, 5))
    survey = Survey.of("gauss(12)", 3, 1, 2, width=40.0)
    fields = [torch.randn(n, 2, 12, 24) * 5 + 3 for n in (3, 1, 2)]
    fields = [torch.cat([f, torch.full_like(f[:, :1], 0.1)], 1) for f in fields]
    own = survey.views[0].mine[:, None] * survey.sphere.weights()
    mean = lambda f: (f * own).sum((0, 2, 3)) / own.sum()  # noqa: E731
    found, numbers = survey.standardised(fields)
    again = (fields[2] - torch.tensor(numbers["mean"]).view(-1, 1, 1)) / torch.tensor(numbers["scale"]).view(-1, 1, 1)
    assert torch.allclose(again.float(), found[2], atol=1e-5)
    assert mean(found[0]).abs().max() < 1e-6 and (found[2][:, 2] == 0).all()
    assert torch.allclose(mean(found[0] ** 2)[:2], torch.ones(2).double())
    other = [fields[0], fields[1] * 7, fields[2] - 100]  # what is done to a part depends on training alone
    assert torch.equal(survey.standardised(other)[0][0], found[0])
    hidden_change = [fields[0] + 9.0 * ~survey.views[0].mine[:, None], *fields[1:]]  # and on its own places alone
    assert torch.allclose(survey.standardised(hidden_change)[0][2], found[2], atol=1e-5)
    assert (survey.standardised(fields, spread=False)[0][0] - fields[0]).flatten(2).std(-1).max() < 1e-5


# ---- the earth


@real
def test_wind_is_geostrophic_out_of_the_tropics():
    """The fields are on the right side: with the wind mirrored, or latitude upside down, the law fails."""
    month = earth.air()
    z = month.sphere.points()[..., 2]
    k, step = 1, math.radians(0.75)
    factor = 9.80665 / (2 * 7.292e-5 * 6.371e6)
    south = torch.gradient(month.height[k], spacing=step, dim=0)[0] * factor
    east = torch.gradient(month.height[k], spacing=step, dim=1)[0] * factor / (1 - z**2).sqrt().clamp(min=1e-3)
    band = (z.abs() > math.sin(math.radians(20))) & (z.abs() < math.sin(math.radians(80)))
    law = torch.stack([-east / z, south / z])[:, band]  # (south, east) = (-v, u), v = g/f dZ/east, u = g/f dZ/south
    found = month.wind[k][:, band]
    assert (law - found).square().mean().sqrt() < 0.12 * found.square().mean().sqrt()
    assert (law * torch.tensor([[-1.0], [1.0]]) - found)[0].square().mean() > 2 * found[0].square().mean()


@real
def test_wind():
    s = wind(sampling="gauss(16)", train=2, validation=1, test=1, width=30)
    assert s.train.x.shape == (6, 2, 16, 32) and s.test.y.shape == (3, 2, 16, 32)
    assert s.train.type == "2x0" and s.target.type == "1x1" and s.train.sphere == Sphere.gauss(16)
    assert torch.equal(s.train.x, wind(sampling="gauss(16)", train=2, validation=1, test=1, width=30).train.x)
    known = torch.isfinite(s.train.y)
    assert torch.equal(known[:, 0], known[:, 1]) and torch.equal(known[:2], known[2:4])  # the same places at each level
    sine = s.train.x[:, 1]
    assert (sine.abs()[known[:, 0]] >= math.sin(math.radians(15)) - 1e-6).all()
    flat = wind(sampling="gauss(16)", train=1, validation=1, test=1, width=30, levels=[500], train_pose="none")
    assert torch.allclose(flat.train.x[0, 1].double(), Sphere.gauss(16).points()[..., 2], atol=1e-6)
    west = flat.train.y[0, 1][torch.isfinite(flat.train.y[0, 1])]
    assert west.mean() > 3  # westerlies
    with pytest.raises(InputError, match=r"levels is \[300\]; expected some of \[200, 500, 850\]"):
        wind(levels=[300])
    with pytest.raises(InputError, match=r"levels is 500; expected some of .* as a list such as \[850\]"):
        wind(levels=500)
    with pytest.raises(InputError, match="tropics is 90"):
        wind(tropics=90)
    with pytest.raises(InputError, match="expected one of gauss"):
        wind(sampling="ring(3)")


@real
def test_land_is_where_the_ground_is_above_the_sea():
    """Three files of three orientations agree on the coasts; half a turn, or south for north, would not."""
    sphere, label = earth.basins()
    points, weight = sphere.points(), sphere.weights().expand(sphere.shape)
    land = label == 0

    def agree(a, b):
        return float((weight * (a == b)).sum() / weight.sum())

    above = earth.pick(earth.elevation()[1], points) > 0
    red, _, blue = (earth.pick(c, points) for c in earth.marble()[1])
    brown = red > blue - 0.05  # ice is as blue as it is red
    assert agree(land, above) > 0.97 and agree(land, brown) > 0.93
    for wrong in (land.roll(180, 1), land.flip(0), land.flip(1)):
        assert agree(wrong, above) < 0.75 and agree(wrong, brown) < 0.75
    at = lambda lat, lon: torch.tensor([[math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)]])  # noqa: E731
    for (lat, lon), name in {
        (30, -40): "Atlantic", (10, -150): "Pacific", (-20, 80): "Indian", (-60, 100): "Southern", (88, 10): "Arctic",
        (35, 18): "other seas", (25, 10): "land", (-85, 60): "land", (60, -86): "other seas", (15, 88): "Indian",
    }.items():  # fmt: skip
        place = at(math.radians(lat), math.radians(lon)).double()
        assert earth.SURFACES[int(earth.pick(label, place))] == name, (lat, lon)
    assert float(earth.pick(earth.elevation()[1], at(math.radians(28), math.radians(86.9)).double())) > 4  # Himalaya


@real
def test_ocean_basins():
    s = ocean_basins(input="both")
    assert s.train.x.shape == (24, 4, 32, 64) and s.classes == earth.SURFACES
    for part in (s.train, s.val, s.test):
        assert part.y.unique().tolist() == [-1, 0, 1, 2, 3, 4, 5, 6]  # every label in every part
    few = {"sampling": "gauss(16)", "train": 1, "validation": 1, "test": 1, "width": 30}
    one = ocean_basins(**few, train_pose="none", pose="none")
    owner = torch.stack([p.y[0] >= 0 for p in (one.train, one.val, one.test)])
    assert owner.long().sum(0).max() == 1  # the same view: no place has two owners
    assert torch.equal(one.train.x, one.test.x)
    assert ocean_basins(**few, input="colour").train.channels == 3
    with pytest.raises(InputError, match="input is 'depth'"):
        ocean_basins(input="depth")


def test_options_of_readers_of_one_globe():
    """Declared once: own options between the sampling and the shared ones, in signature and documentation."""
    shared = list(inspect.signature(Survey.of).parameters)
    readers = {wind: ["levels", "tropics"], ocean_basins: ["input"], earth_elevation: [], wmap: ["answer", "removed"]}
    for reader, own in readers.items():
        usual = (12, 2, 4) if reader is wind else (24, 4, 8)
        parameters = inspect.signature(reader).parameters
        assert list(parameters) == ["root", shared[0], *own, *shared[1:]]
        assert tuple(parameters[k].default for k in ("train", "validation", "test")) == usual
        text = reader.__doc__.partition("Args:")[2].partition("Raises:")[0]
        assert all(f"    {name}: " in text or f", {name}" in text or f"    {name}, " in text for name in parameters)
    assert inspect.signature(wmap).parameters["sampling"].default == "healpix(16)"
    with pytest.raises(TypeError, match="bogus"):
        wind(bogus=1)


@real
def test_elevation():
    s = earth_elevation(sampling="healpix(8)", train=3, validation=1, test=1, width=30)
    assert s.train.x.shape == (3, 3, 768) and s.train.y.shape == (3, 1, 768) and s.target.unit == "km"
    known = s.train.y[torch.isfinite(s.train.y)]
    assert -7 < known.min() < -4 and 1 < known.max() < 6
    assert s.train.x.mean((0, 2)).abs().max() < 0.5 and (s.train.x.std((0, 2)) - 1).abs().max() < 0.5


# ---- the sky


def power(qu, sphere):
    """Electric and magnetic power of degrees 2 to 11 without the orders m = 0, which know no sign of U."""
    c = SHT(sphere, "1x2", 12, 4).double()(qu[None])[0]
    found, start = torch.zeros(2, dtype=torch.float64), 0
    for l in range(2, 12):
        part = c[start : start + 4 * l + 2].view(2, 2 * l + 1)
        start += 4 * l + 2
        found += part.square().mean(1) - part[:, l].square() / (2 * l + 1)
    return found.tolist()


@real
def test_polarisation_of_the_file_is_in_the_frames_of_the_library():
    import numpy as np

    z = np.load(earth.source_file(None, "wmap7_V_nside32_iqu.npz"))
    sphere = Sphere.healpix(32)
    qu = torch.from_numpy(z["iqu"][1:]).double()
    sine2 = 1 - sphere.points()[:, 2] ** 2
    zonal = SHT(sphere, "1x2", 12, 4).double()(torch.stack([sine2, 0 * sine2])[None])[0, :10].view(2, 5)
    electric = int(zonal.abs().sum(1).argmax())  # Q of a zonal field is electric
    found = [power(qu * torch.tensor([[1.0], [sign]]), sphere) for sign in (1, -1)]
    ratio = [p[electric] / p[1 - electric] for p in found]
    assert ratio[0] > 1.4 and ratio[1] < 1.1


def test_nothing_of_the_masked_sky_is_seen():
    maps = torch.randn(3, 12, dtype=torch.float64)
    mask = (torch.arange(12) % 3 > 0).double()
    changed = torch.where(mask > 0, maps, torch.tensor(-1.6375e30))
    changed[0, 0] = math.nan
    assert torch.equal(microwave.masked(maps, mask), microwave.masked(changed, mask))


@real
def test_wmap():
    few = {"train": 3, "validation": 1, "test": 2, "width": 30, "sampling": "healpix(8)"}
    s = wmap(**few)
    assert s.train.x.shape == (3, 2, 768) and s.train.type == "2x0" and s.target.type == "1x2"
    x, y = s.train.x, s.train.y
    known = torch.isfinite(y[:, 0])
    assert (
        (x[:, 1][known] == 1).all() and (x[:, 0][x[:, 1] == 0] == 0).all() and set(x[:, 1].unique().tolist()) == {0, 1}
    )
    assert abs(float(x[:, 0][known].mean())) < 1e-5 and float(y[:, 0][known].std()) < 20  # microkelvin
    t = wmap(**few, answer="intensity")
    assert t.train.type == "2x0 + 1x2" and t.train.channels == 4 and t.target.name == "intensity"
    for part in (t.train, t.val, t.test):
        asked = torch.isfinite(part.y[:, 0])
        assert (part.x[:, 0][asked] == 0).all() and (part.x[:, 1][asked] == 0).all()  # what is asked for is not seen
        assert 10 < float(part.y[:, 0][asked].std()) < 100
    views = Survey.of("healpix(8)", 3, 1, 2, width=30.0)
    owner = views.blocks.parts(views.views[2].places)
    assert (t.test.x[:, 1][owner != 0] == 0).all()
    with pytest.raises(InputError, match="answer is 'dust'"):
        wmap(answer="dust")


# ---- what a run reads


@pytest.mark.parametrize("name", ["basins", "elevation", "wind", "wmap", "depth"])
def test_configs_name_what_there_is(name):
    """Options of the reader exist, and the network can be built for its fields."""
    import steerable.run

    path = Path(steerable.run.__file__).parent / "configs" / f"{name}.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    data, model = config["data"], config["model"]
    assert config["out"] == f"runs/{name}"
    assert all("#" in line for line in path.read_text(encoding="utf-8").splitlines())
    check_options("data", data["name"], READERS[data["name"]], data["options"])
    if "STEERABLE_DATA" not in os.environ and name != "depth":
        return
    few = {"train": 1, "validation": 1, "test": 1}
    found = load_data(DataConfig(name=data["name"], options={**data["options"], **few}))
    assert found.train.sampling == data["options"]["sampling"]
    types = {"in_type": found.train.type or None, "out_type": found.target.type or None if found.target else None}
    size = {"in_channels": found.train.channels, "num_classes": found.train.outputs}
    net = create_model(model["name"], group=model["group"], sphere=found.train.sampling, **size, **types,
                       **model["options"]).eval()  # fmt: skip
    with torch.no_grad():
        assert net(found.train.x[:1]).shape == (1, found.train.outputs, *found.train.size)
