"""fit, evaluate and predict of fields on the sphere, from end to end; what an area counts, what is not known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pyarrow import parquet
from tests.run.spheres import VECTOR, WIND, gradients, made, smooth

import steerable as st
from steerable.data import InputError, Regions, Samples, Target
from steerable.data.sphere_file import read_maps
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.domains.sphere.turned_fields import Turn
from steerable.groups import SO3
from steerable.run.answer_files import AnswerFiles
from steerable.run.build import build_model, for_data
from steerable.run.cli import main
from steerable.run.config import ModelConfig, TrainConfig
from steerable.run.dense import field_errors, place_counts, region_scores
from steerable.run.domains import augmented, domain_of
from steerable.run.domains.sphere import generic
from steerable.run.floors import Floors
from steerable.run.objectives import objective_of
from steerable.run.readers import READERS
from steerable.run.store import load

UNET = ["--model.name=sphere_unet", '--model.options={"widths": [2, 3], "kernel_size": 3}']
CNN = ["--model.name=sphere_cnn", '--model.options={"widths": [2, 3], "kernel_size": 3}']


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    monkeypatch.setitem(READERS, "made", made)


def fit(out, kind, *words, epochs=2):
    model = CNN if kind in ("classes", "value") else UNET
    every = ["--data.name=made", f"--data.options.kind={kind}", f"--train.epochs={epochs}", "--train.batch_size=6"]
    return main(["fit", *model, *every, "--train.device=cpu", f"--out={out}", *words])


def scores(out):
    assert main(["evaluate", str(out)]) == 0
    return json.loads((out / "evaluation.json").read_text())


@pytest.mark.parametrize("kind", ["wind", "height", "regions", "classes", "value", "spins"])
def test_every_kind_of_answer(tmp_path, kind):
    out = tmp_path / "out"
    assert fit(out, kind, "--page=true") == 0
    record = json.loads((out / "run.json").read_text())
    assert (record["domain"], record["sampling"]) == ("sphere", "gauss(12)")
    options = record["config"]["model"]["options"]
    assert options["sphere"] == "gauss(12)"  # said by the data
    assert options.get("out_type") == ("1x1" if kind == "wind" else None)
    assert options.get("in_type") == ("1x0 + 1x1" if kind == "spins" else None)
    found = scores(out)
    dense = {"wind": "rmse", "height": "rmse", "spins": "rmse", "regions": "iou"}
    assert found["images"] == 6 and set(found["floors"]) == {"constant", "linear"}
    if kind in dense:
        key = dense[kind]
        # a steerable network is not moved by a turn, up to the error of twelve rings
        assert found[f"{key}_turned"] == pytest.approx(found[key], rel=0.1)
        assert "turned" in (out / "row.md").read_text() and "90 deg" not in (out / "row.md").read_text()
    page = (out / "report.html").read_text()
    assert "Mollweide" in page and page.count("data:image/png") >= 3 and "://" not in page


def test_the_best_isotropic_filter_is_the_floor_of_fields(tmp_path):
    out = tmp_path / "out"
    assert fit(out, "wind") == 0
    floors = scores(out)["floors"]
    assert floors["linear"]["rmse"] < 1e-3  # the wind of this set is such a filter
    assert floors["constant"]["rmse"] == pytest.approx(1, rel=0.1)


def test_the_plain_twin_is_moved(tmp_path):
    assert fit(tmp_path / "out", "wind", "--twin=augmented", epochs=4) == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    model = record["config"]["model"]
    assert (model["name"], record["config"]["train"]["augment"]) == ("sphere_unet_plain", "turn")
    assert "out_type" not in model["options"] and model["options"]["sphere"] == "gauss(12)"
    found = scores(tmp_path / "out")
    assert found["moved"] > 0.02


def test_predict(tmp_path):
    out = tmp_path / "out"
    assert fit(out, "wind") == 0 and fit(tmp_path / "regions", "regions") == 0
    x = made(kind="wind").test.x.numpy()
    folder = tmp_path / "files"
    folder.mkdir()
    np.save(folder / "a.npy", x[0])
    np.savez(folder / "b.npz", x=x[1:3])
    np.save(folder / "bad.npy", np.full((1, 12, 24), np.nan, np.float32))
    (folder / "notes.txt").write_text("no map")
    words = [str(folder), "--out", str(tmp_path / "c.parquet"), "--skip-bad", "--answers", str(tmp_path / "fields")]
    assert main(["predict", str(out), *words]) == 0
    rows = parquet.read_table(tmp_path / "c.parquet").to_pylist()
    assert [r["id"] for r in rows] == ["a.npy", "b.npz#0", "b.npz#1", "bad.npy"]
    assert "NaN" in rows[3]["error"] and rows[3]["south_rms"] is None
    model, _ = load(out)
    with torch.no_grad():
        answer = model(torch.from_numpy(x[:1]))
    assert np.allclose(np.load(tmp_path / "fields" / "a.npy.npy"), answer[0].numpy(), atol=1e-6)
    share = Sphere.gauss(12).flat_weights() / (4 * torch.pi)
    rms = (answer[0, 0].flatten().double().square() @ share).sqrt()
    assert rows[0]["south_rms"] == pytest.approx(float(rms), rel=1e-6)
    words = [str(folder / "a.npy"), "--out", str(tmp_path / "d.parquet")]
    assert main(["predict", str(tmp_path / "regions"), *words]) == 0
    row = parquet.read_table(tmp_path / "d.parquet").to_pylist()[0]
    assert sum(row[f"share_{c}"] for c in ("low", "middle", "high")) == pytest.approx(1)


def test_evaluate_of_a_file_and_other_samplings(tmp_path):
    out = tmp_path / "out"
    assert fit(out, "wind") == 0
    test = made(kind="wind").test
    np.savez(tmp_path / "maps.npz", x=test.x.numpy(), wind=test.y.numpy())
    one = scores(out)
    assert main(["evaluate", str(out), "--images", str(tmp_path / "maps.npz")]) == 0
    other = json.loads((out / "evaluation.json").read_text())
    assert other["rmse"] == pytest.approx(one["rmse"])
    np.savez(tmp_path / "wrong.npz", x=test.x.numpy()[..., :20], wind=test.y.numpy()[..., :20])
    assert main(["evaluate", str(out), "--images", str(tmp_path / "wrong.npz")]) == 2


def test_what_the_data_says_of_the_network():
    data = made(kind="wind").train
    found = for_data(ModelConfig("sphere_unet"), data).options
    assert found == {"sphere": "gauss(12)", "out_type": "1x1"}
    assert for_data(ModelConfig("sphere_unet_plain"), data).options == {"sphere": "gauss(12)"}
    with pytest.raises(InputError, match=r"sphere is 'gauss\(8\)', but made wind has 'gauss\(12\)'"):
        for_data(ModelConfig("sphere_unet", options={"sphere": "gauss(8)"}), data)
    with pytest.raises(InputError, match="takes scalars, but made wind has fields of type '1x1'"):
        for_data(ModelConfig("s2cnn_dense"), data)
    with pytest.raises(InputError, match=r"expected sphere='icosahedral\(level\)'"):
        build_model(for_data(ModelConfig("ico_cnn"), made(kind="classes").train), 1, 3)
    with pytest.raises(InputError, match="takes images, but made wind has fields of 1 channels"):
        for_data(ModelConfig("steerable_cnn"), data)


def test_areas_and_places_without_an_answer():
    data = made(kind="wind").train
    objective = objective_of(data, TrainConfig())
    y = data.y
    out = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    share = Sphere.gauss(12).weights().expand(12, 24)
    known = torch.isfinite(y)
    weights = known * share
    errors = torch.where(known, (objective._units(out) - y).square(), 0)
    expected = float((errors * weights).sum() / weights.sum()) ** 0.5
    assert objective.figures(out, y)["val_rmse"] == pytest.approx(expected, rel=1e-5)
    plain = float(errors.sum() / known.sum()) ** 0.5
    assert abs(plain - expected) > 1e-3  # the planted fault: all samples alike
    again = torch.where(known, out, 1e6)  # what is answered where nothing is known does not count
    assert torch.equal(objective.loss(again, y), objective.loss(out, y))
    regions = made(kind="regions").train
    objective = objective_of(regions, TrainConfig())
    logits = torch.randn(12, 3, 12, 24, generator=torch.Generator().manual_seed(2))
    there = (regions.y < 0)[:, None].expand_as(logits)
    assert torch.equal(objective.loss(torch.where(there, 50.0, logits), regions.y), objective.loss(logits, regions.y))
    counts = place_counts(logits, regions.y, domain_of(regions).areas(regions))
    total = (domain_of(regions).areas(regions) * (regions.y >= 0)).sum()
    assert float(counts.sum()) == pytest.approx(float(total))
    gradient = torch.autograd.functional.jacobian(
        lambda o: objective.loss(o, regions.y), logits[:1].expand(12, -1, -1, -1)
    )
    assert torch.isfinite(gradient).all() and not gradient[there].any()


@pytest.mark.parametrize("how", ["upright", "turn", "turn_fourier"])
def test_augmentation_turns_fields_and_frames(how):
    data = made(kind="wind", sampling="gauss(24)", unknown=0, train=4).train
    x, y = augmented(data.x, data.y, how, torch.Generator().manual_seed(3), data)
    sphere = Sphere.gauss(24)
    assert field_errors(x, data.x)["rmse"] > 0.1
    # a vector that is a filter of the scalar still is, after both were turned
    again = gradients(x.double(), sphere)
    scale = (again * y).sum() / again.square().sum()
    error = (scale * again - y).norm() / y.norm()
    assert error < (0.05 if how != "turn_fourier" else 0.03)
    wrong = y[:, [1, 0]]  # the planted fault: components that are not those along south and east
    assert (scale * again - wrong).norm() / y.norm() > 0.5
    if how == "upright":
        assert torch.allclose(x.mean(-1), data.x.mean(-1), atol=0.05)


def test_labels_and_gaps_turn_with_their_fields():
    data = made(kind="regions", sampling="healpix(8)", train=4).train
    x, y = augmented(data.x, data.y, "turn", torch.Generator().manual_seed(3), data)
    same = ((x[:, 0] > 0.5).long() + (x[:, 0] > 2).long() == y)[y >= 0].double().mean()
    assert same > 0.9 and set(y.unique().tolist()) == {-1, 0, 1, 2}
    wind = made(kind="wind", sampling="healpix(8)", train=4).train
    _, y = augmented(wind.x, wind.y, "turn", torch.Generator().manual_seed(3), wind)
    assert 0 < float(torch.isnan(y).double().mean()) < 0.05


@pytest.mark.parametrize("name", ["gauss", "healpix", "icosahedral", "fibonacci"])
def test_turns_by_interpolation_are_of_second_order(name):
    group, errors = SO3(), []
    for k in range(2):
        sizes = {"gauss": 16 * 2**k, "healpix": 8 * 2**k, "icosahedral": 3 + k, "fibonacci": 600 * 4**k}
        sphere = getattr(Sphere, name)(sizes[name])
        fields = st.SO2().type("1x0 + 1x1 + 1x2")
        band = 5
        g = torch.Generator().manual_seed(0)
        inverse = st.nn.InverseSHT(sphere, fields, band).double()
        c = torch.randn(2, inverse.in_type.size, dtype=torch.float64, generator=g)
        x = inverse(c)
        exact = inverse(inverse.in_type.transform(c, generic()))
        turn = Turn(sphere, group.action(generic()))
        errors.append(float((turn(x, fields) - exact).norm() / exact.norm()))
        ones = torch.ones(1, 1, *sphere.shape, dtype=torch.float64)
        assert torch.allclose(turn(ones, st.SO2().type("1x0")), ones, atol=1e-12)
        back = float((Turn(sphere, group.action(generic()).T)(x, fields) - exact).norm() / exact.norm())
        assert back > 0.3  # the planted fault: the wrong way round
    assert errors[0] / errors[1] > 2**1.7


def test_floors_of_the_sphere_are_blind_to_orientation(tmp_path):
    data = made(kind="value")
    floors = Floors.fit(data)
    turned = data.test.with_images(domain_of(data.test).turn(None, data.test).turned(data.test))
    assert torch.allclose(floors.linear(turned.x), floors.linear(data.test.x), atol=1e-3)
    floors.save(tmp_path)
    again = Floors.load(tmp_path)
    assert torch.equal(again.linear(turned.x), floors.linear(turned.x)) and again.statistics == floors.statistics


def test_a_network_held_by_north_shows_it(tmp_path):
    model = st.create_model("sphere_unet", num_classes=3, sphere="gauss(12)", widths=[2, 3], kernel_size=3, group="C1")
    free = st.create_model("sphere_unet", num_classes=3, sphere="gauss(12)", widths=[2, 3], kernel_size=3)
    data = made(kind="regions").test
    held, steerable = (region_scores(m.eval(), data)["logit_error"] for m in (model, free))
    assert held > 3 * steerable


def test_bad_fields():
    x, generator = torch.zeros(2, 1, 12, 24), torch.Generator().manual_seed(0)
    labels = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(InputError, match=r"gauss\(12\)|12, 23|expected \[..., 12, 24\]"):
        Samples(x[..., :23], labels, ("a",), sampling="gauss(12)")
    with pytest.raises(InputError, match="expected one of gauss"):
        Samples(x, labels, ("a",), sampling="mercator(3)")
    with pytest.raises(InputError, match="have 3 channels, and there are 1"):
        Samples(x, labels, ("a",), sampling="gauss(12)", type="1x0 + 1x1")
    with pytest.raises(InputError, match="without a sampling"):
        Samples(x, labels, ("a",), type="1x0")
    with pytest.raises(InputError, match="of 2 entries, and 3 names"):
        Samples(x, torch.zeros(2, 3, 12, 24), Target("w", "", ("a", "b", "c"), everywhere=True, type="1x1"),
                sampling="gauss(12)")  # fmt: skip
    with pytest.raises(InputError, match="none of them a number"):
        Samples(x, torch.full((2, 2, 12, 24), torch.nan), WIND, sampling="gauss(12)")
    with pytest.raises(InputError, match="have the label -1, none"):
        Samples(x, torch.full((2, 12, 24), -1), Regions(("a", "b")), sampling="gauss(12)")
    with pytest.raises(ValueError, match="expected a type of fields only"):
        Target("w", type="1x1")
    flat = Samples(x, torch.zeros(2, 2, 12, 24), WIND, sampling="gauss(12)")
    with pytest.raises(InputError, match="all training values of \\['south', 'east'\\] are 0"):
        objective_of(flat, TrainConfig())
    sphere = Sphere.gauss(12)
    with pytest.raises(ValueError, match="the map is"):
        Turn(sphere, torch.eye(3))(smooth(sphere, 1, generator)[..., 1:], VECTOR)


def test_the_law_knows_the_fields_of_a_run(tmp_path, capsys):
    assert fit(tmp_path / "out", "wind") == 0
    assert main(["check", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    error = float(text.split("generic rotation")[1].split()[0])
    assert error < 0.1  # as a vector; two scalars would be off by the turn of their frames


def test_compression(tmp_path):
    out = tmp_path / "out"
    words = ["--data.name=panoramas", "--data.options.which=synthetic", "--data.options.train=8",
             "--data.options.validation=2", "--data.options.test=3", "--data.options.trade=0.01"]  # fmt: skip
    small = '{"width": 4, "stages": 2}'
    grids = {"sphere_codec": "healpix(8, nested)", "sphere_codec_plain": "equiangular(nlat=16, kind=fejer, shift=0.5)"}
    for name, grid in grids.items():
        model = [f"--model.name={name}", f"--model.options={small}", f"--data.options.sampling={grid}"]
        train = ["--train.epochs=2", "--train.batch_size=4", f"--out={out}_{name}", "--train.device=cpu"]
        assert main(["fit", *words, *model, *train, "--page=true"]) == 0
        found = scores(tmp_path / f"out_{name}")
        network, record = load(tmp_path / f"out_{name}")
        assert record["target"]["columns"][-1] == "bits"
        rate, error = found["rate"], found["loss"] - found["rate"]
        assert rate > 0 and error > 0
        floors = found["floors"]
        assert floors["constant"]["rate"] == 0 and floors["linear"]["psnr"] > floors["constant"]["psnr"]
        assert floors["linear"]["loss"] <= floors["constant"]["loss"]
        codec = network.model.codec
        x = torch.rand(1, *codec.shape)
        size = 8 * len(codec.compress(x)) / codec.pixels
        with torch.no_grad():
            estimate = float(network(x)[0, -1].flatten()[0])
        assert size == pytest.approx(estimate, rel=0.3, abs=4.0)  # a header, and whole symbols
        assert torch.allclose(codec.decompress(codec.compress(x)), network(x)[:, :-1], atol=1e-5)
    with pytest.raises(InputError, match="expected nested HEALPix"):
        build_model(ModelConfig("sphere_codec", options={"sphere": "gauss(8)"}), 3, 4)
    with pytest.raises(InputError, match="expected 4, the channels and the bits"):
        build_model(ModelConfig("sphere_codec"), 3, 3)


def test_filters_held_by_north_see_components_as_channels():
    data = made(kind="wind").train
    assert for_data(ModelConfig("sphere_unet", group="C1"), data).options == {"sphere": "gauss(12)"}


def test_errors_of_options_are_one_line_with_the_mend(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    out = f"--out={tmp_path / 'out'}"
    every = ["fit", *UNET, "--data.name=made", "--data.options.kind=classes", "--train.epochs=1", out]
    for words, says in (
        (["--train.device=gpu"], "--train.device gpu: torch"),
        (["--train.device=cpu"], "Set model.name to one with one answer for a sample, such as sphere_cnn"),
    ):
        assert main([*every, *words]) == 2
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["nan", ".nan"])
def test_missing_pixels_are_said_as_text_in_training_and_in_predict(tmp_path, capsys, value):
    x = torch.randn(12, 1, 8, 16, generator=torch.Generator().manual_seed(0)).numpy()
    x[:, :, 3] = np.nan
    (tmp_path / "maps").mkdir()
    np.savez(tmp_path / "maps" / "all.npz", x=x, y=np.arange(12) % 2)
    np.save(tmp_path / "new.npy", x[0])
    run = tmp_path / "run"
    words = ["--data.name=sphere", f"--data.root={tmp_path / 'maps'}", "--data.options.sampling=gauss(8)"]
    given = ["fit", *CNN, *words, "--train.epochs=1", "--train.device=cpu", f"--out={run}"]
    assert main([*given, "--data.options.mask_value=none of them"]) == 2
    assert "expected the number that stands at missing pixels" in capsys.readouterr().err
    assert main([*given, f"--data.options.mask_value={value}"]) == 0
    out = tmp_path / "rows.parquet"
    assert main(["predict", str(run), str(tmp_path / "new.npy"), f"--out={out}"]) == 0
    assert parquet.read_table(out).num_rows == 1


def test_what_a_reader_standardised_is_standardised_again(tmp_path):
    out, words = tmp_path / "out", ["--data.name=depth", "--data.options.sampling=gauss(8)"]
    few = ["--data.options.train=6", "--data.options.validation=2", "--data.options.test=2", "--data.options.rays=1"]
    train = ["--train.epochs=1", "--train.batch_size=3", f"--out={out}", "--train.device=cpu"]
    assert main(["fit", *words, *few, *UNET, *train]) == 0
    record = json.loads((out / "run.json").read_text())
    x = READERS["depth"](sampling="gauss(8)", train=6, validation=2, test=2, rays=1).test.x
    numbers = record["input_settings"]
    mean, scale = (torch.tensor(numbers[k]).view(-1, 1, 1) for k in ("mean", "scale"))
    np.save(tmp_path / "raw.npy", (x[0] * scale + mean).numpy())
    assert main(["predict", str(out), str(tmp_path / "raw.npy"), "--out", str(tmp_path / "c.parquet")]) == 0
    model, _ = load(out)
    with torch.no_grad():
        answer = model(x[:1])[0, 0].double()
    share = Sphere.gauss(8).weights().expand(8, 16) / (4 * torch.pi)
    row = parquet.read_table(tmp_path / "c.parquet").to_pylist()[0]
    name = next(k for k in row if k.endswith("_mean"))
    assert row[name] == pytest.approx(float((answer * share).sum()), rel=1e-4)


@pytest.mark.parametrize("kind", ["spins", "height"])
def test_needlet_networks(tmp_path, kind):
    out = tmp_path / "out"
    small = '{"width": 3, "on": "sphere", "band": 6}'
    assert fit(out, kind, "--model.name=needlet_net", f"--model.options={small}") == 0
    assert main(["check", str(out)]) == 0
    found = scores(out)
    assert found["rmse_turned"] == pytest.approx(found["rmse"], rel=0.1)


@pytest.mark.parametrize(("kind", "order"), [("wind", "nested"), ("wind", None), ("regions", "ring")])
def test_answers_on_healpix_as_fits(tmp_path, kind, order):
    """What is written is what npy files hold, in either order, and is read again by the reader of maps."""
    fits = pytest.importorskip("astropy.io.fits")
    out = tmp_path / "out"
    assert fit(out, kind, "--data.options.sampling=healpix(4)", epochs=1) == 0
    folder = tmp_path / "files"
    folder.mkdir()
    np.save(folder / "a.npy", made(kind=kind, sampling="healpix(4)").test.x[0].numpy())
    words = ["predict", str(out), str(folder), "--device=cpu", "--out"]
    assert main([*words, str(tmp_path / "a.parquet"), f"--answers={tmp_path / 'npy'}"]) == 0
    said = [f"--answers={tmp_path / 'fits'}", "--answer-format=fits", *([f"--order={order}"] if order else [])]
    assert main([*words, str(tmp_path / "b.parquet"), *said]) == 0
    path = tmp_path / "fits" / "a.npy.fits"
    header = fits.getheader(path, 1)
    assert header["ORDERING"] == (order or "ring").upper()
    own = np.load(tmp_path / "npy" / "a.npy.npy")
    found = read_maps(path, "healpix(4)")[0].numpy()
    assert np.array_equal(found if kind == "wind" else found[0], own.astype(np.float32))
    assert [header[f"TTYPE{k + 1}"] for k in range(len(found))] == (["south", "east"] if kind == "wind" else ["class"])
    # and a network takes it again
    if kind == "regions":
        assert main(["predict", str(out), str(path), f"--out={tmp_path / 'c.parquet'}"]) == 0


def test_fits_of_what_is_no_healpix_is_refused_before_anything_is_written(tmp_path, capsys):
    out = tmp_path / "out"
    assert fit(out, "wind", epochs=1) == 0
    capsys.readouterr()
    words = ["predict", str(out), str(tmp_path / "x.npy"), f"--out={tmp_path / 'c.parquet'}"]
    for more, text in (
        (["--answers=f", "--answer-format=fits"], "expected HEALPix"),
        (["--answer-format=fits"], "expected --answers FOLDER"),
        ([f"--answers={tmp_path / 'f'}", "--order=ring"], "expected --answer-format fits"),
    ):
        assert main([*words, *more]) == 2
        said = capsys.readouterr().err
        assert text in said and said.count("\n") == 1
    assert not (tmp_path / "f").exists() and not (tmp_path / "c.parquet").exists()


def test_the_config_of_your_own_maps(tmp_path):
    for part, data in zip(
        ("train", "val", "test"), (lambda s: (s.train, s.val, s.test))(made(kind="regions")), strict=True
    ):
        np.savez(tmp_path / f"{part}.npz", x=data.x.numpy(), y=data.y.numpy())
    words = ["--data.options.sampling=gauss(12)", '--model.options={"widths": [2, 3], "kernel_size": 3}']
    out = tmp_path / "run"
    assert (
        main(
            [
                "fit",
                "--config=maps",
                f"--data.root={tmp_path}",
                *words,
                "--train.epochs=1",
                "--page=true",
                f"--out={out}",
            ]
        )
        == 0
    )
    assert (out / "report.html").is_file()


def test_an_answer_does_not_take_the_place_of_another(tmp_path):
    """Names with folders become names of files: two that would be one are told, in either format."""
    sphere = parse_sphere("healpix(2)")
    for files in (AnswerFiles(tmp_path, {"target": None}), AnswerFiles(tmp_path, {"target": None}, "fits", sphere)):
        files.write("a/b", torch.zeros(48, dtype=torch.int64))
        with pytest.raises(InputError, match=r"'.*a_b.*': "):
            files.write("a_b", torch.ones(48, dtype=torch.int64))
    assert not np.load(tmp_path / "a_b.npy").any()
