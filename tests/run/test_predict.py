"""predict: what evaluate scores is what the catalogue says, row by row, whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from steerable.data import Target
from steerable.run import catalogue, prepare
from steerable.run.catalogue import read_metadata
from steerable.run.cli import main
from steerable.run.prepare import Preparation, blind_residual
from steerable.run.scores import accuracy, predict
from steerable.run.store import load
from steerable.tasks.lensing import simulate

from .conftest import bars

parquet = pytest.importorskip("pyarrow.parquet")


def rows(path):
    return parquet.read_table(path).to_pylist()


def save(path, x):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".fits"):
        pytest.importorskip("astropy.io.fits").PrimaryHDU(x).writeto(path)
    else:
        np.save(path, x)


@pytest.fixture
def fitted(networks, arguments, tmp_path):
    assert main(["fit", *arguments, "--data.scale=noise", "--seeds", "0", "1"]) == 0
    return tmp_path / "out"


@pytest.fixture
def folder(tmp_path):
    """12 images in two folders, of two kinds."""
    x, _ = bars(12, 7)
    for i, image in enumerate(x):
        save(tmp_path / "sky" / ("b", "a")[i % 2] / f"{i:02d}{('.fits', '.npy')[i % 3 == 0]}", image)
    return tmp_path / "sky"


def test_the_catalogue_holds_what_evaluate_scores(fitted, images, tmp_path, capsys):
    out = tmp_path / "c.parquet"
    assert main(["predict", str(fitted / "seed1"), str(images / "test.npz"), f"--out={out}", "--batch-size=7"]) == 0
    assert "30 rows" in capsys.readouterr().out
    found = rows(out)
    assert list(found[0]) == ["id", "prediction", "p_flat", "p_upright", "p_blob", "spread"]
    assert [r["id"] for r in found] == [f"test.npz#{i}" for i in range(30)]
    model, record = load(fitted / "seed1")
    from steerable.run.config import FitConfig
    from steerable.run.readers import load_data

    data = load_data(FitConfig.from_dict(record["config"]).data).test
    expected = predict(model, data.x).double().softmax(1)
    own = torch.tensor([[r["p_flat"], r["p_upright"], r["p_blob"]] for r in found], dtype=torch.float64)
    assert torch.allclose(own, expected, atol=1e-6)
    assert [r["prediction"] for r in found] == [data.classes[k] for k in expected.argmax(1).tolist()]
    assert all(r["spread"] is None for r in found)  # one seed has none
    assert main(["evaluate", str(fitted / "seed1")]) == 0
    scores = json.loads((fitted / "seed1" / "evaluation.json").read_text())
    assert scores["accuracy"] == accuracy(own, data.y)


def test_seeds_answer_with_their_mean(fitted, images, tmp_path):
    for name in ("seed0", "seed1", ""):
        out = tmp_path / f"c{name}.parquet"
        assert main(["predict", str(fitted / name), str(images / "test.npz"), f"--out={out}"]) == 0
    a, b, both = (rows(tmp_path / f"c{name}.parquet") for name in ("seed0", "seed1", ""))
    for one, two, mean in zip(a, b, both, strict=True):
        for c in ("p_flat", "p_upright", "p_blob"):
            assert mean[c] == pytest.approx((one[c] + two[c]) / 2, abs=1e-9)
        best = f"p_{mean['prediction']}"
        assert mean[best] == max(mean[c] for c in mean if c.startswith("p_"))
        assert mean["spread"] == pytest.approx(abs(one[best] - two[best]) / 2**0.5, abs=1e-9)
    assert read_metadata(tmp_path / "c.parquet")["seeds"] == [0, 1]


def test_metadata(fitted, images, tmp_path):
    out = tmp_path / "c.parquet"
    assert main(["predict", str(fitted), str(images / "test.npz"), f"--out={out}"]) == 0
    about = read_metadata(out)
    assert about["run"] == str(fitted)
    assert about["preprocessing"] == [{"step": "noise"}]
    assert about["input"] == "pixels"
    assert set(about["versions"]) == {"steerable", "torch"}
    assert about["classes"] == ["flat", "upright", "blob"]


def test_values(networks, images, tmp_path):
    for part in ("train", "val", "test"):
        with np.load(images / f"{part}.npz") as z:
            np.savez(images / f"{part}.npz", x=z["x"], mass=z["y"].astype(float) - 24)
    out = tmp_path / "out"
    args = ["--model.name=tiny_plain", "--data.name=folder", f"--data.root={images}", "--data.target=mass"]
    assert main(["fit", *args, "--train.epochs=2", f"--out={out}", "--seeds", "3", "4"]) == 0
    assert main(["predict", str(out), str(images / "test.npz"), f"--out={tmp_path / 'c.parquet'}"]) == 0
    found = rows(tmp_path / "c.parquet")
    assert list(found[0]) == ["id", "mass", "mass_spread"]
    assert main(["evaluate", str(out / "seed3"), str(out / "seed4")]) == 0
    with np.load(images / "test.npz") as z:
        x = torch.from_numpy(z["x"])[:, None]
    each = torch.stack([predict(load(out / s)[0], x)[:, 0] for s in ("seed3", "seed4")])
    assert [r["mass"] for r in found] == pytest.approx(each.mean(0).tolist(), rel=1e-6)
    assert [r["mass_spread"] for r in found] == pytest.approx(each.std(0).tolist(), rel=1e-4, abs=1e-7)
    from steerable.run.store import meaning

    assert meaning(load(out / "seed3")[1]) == Target("mass")


def test_ids_and_order(fitted, folder, tmp_path, monkeypatch):
    out = tmp_path / "c.parquet"
    assert main(["predict", str(fitted), str(folder), f"--out={out}", "--batch-size=5"]) == 0
    names = [r["id"] for r in rows(out)]
    assert names == sorted(names)
    assert len(names) == 12
    assert names[0] == "a/01.fits"
    # files one by one, in the order in which they are said
    files = [str(folder / n) for n in reversed(names)]
    assert main(["predict", str(fitted), *files, f"--out={out}", "--overwrite"]) == 0
    assert [r["id"] for r in rows(out)] == [n.split("/")[1] for n in reversed(names)]
    # a list: paths from here, or from where it lies
    listing = folder / "list.txt"
    listing.write_text("# the sky\n\n" + "\n".join(names[::2]) + "\n")
    for argument in (["--list", str(listing)], [f"@{listing}"]):
        assert main(["predict", str(fitted), *argument, f"--out={out}", "--overwrite"]) == 0
        assert [r["id"] for r in rows(out)] == names[::2]
    # two folders: the same name twice makes paths of all ids
    save(folder / "b" / "01.fits", bars(1, 0)[0][0])
    assert main(["predict", str(fitted), str(folder / "a"), str(folder / "b"), f"--out={out}", "--overwrite"]) == 0
    assert rows(out)[0]["id"] == (folder / "a" / "01.fits").as_posix()
    assert len(rows(out)) == 13


def test_the_same_image_in_every_kind_of_file(fitted, tmp_path):
    image = pytest.importorskip("PIL.Image")
    x = (np.clip(bars(1, 3)[0][0] + 0.5, 0, 1) * 255).astype(np.uint8)
    folder = tmp_path / "kinds"
    save(folder / "a.fits", x)
    save(folder / "b.npy", x)
    np.savez(folder / "c.npz", x=x)
    image.fromarray(x).save(folder / "d.png")
    out = tmp_path / "c.parquet"
    assert main(["predict", str(fitted), str(folder), f"--out={out}"]) == 0
    found = rows(out)
    assert [r["id"] for r in found] == ["a.fits", "b.npy", "c.npz", "d.png"]
    assert len({r["p_flat"] for r in found}) == 1


def test_a_catalogue_is_written_in_pieces(fitted, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "ROWS", 4)
    sizes = []
    original = prepare.pixels

    def watch(images, options):
        sizes.append(len(images))
        return original(images, options)

    monkeypatch.setitem(prepare.PREPARATIONS, "pixels", Preparation(watch))
    out = tmp_path / "c.parquet"
    assert main(["predict", str(fitted), str(folder), f"--out={out}", "--batch-size=5"]) == 0
    assert sizes == [5, 5, 2]
    assert parquet.ParquetFile(out).num_row_groups == 3
    assert len(rows(out)) == 12


def test_bad_images_get_an_empty_row(fitted, folder, tmp_path, capsys):
    save(folder / "a" / "00.npy", np.full((9, 9), np.nan))
    save(folder / "a" / "02.npy", np.zeros((5, 9)))
    (folder / "b" / "99.png").write_bytes(b"no picture")
    cube = np.zeros((4, 9, 9))
    cube[2] = np.inf
    save(folder / "c.npy", cube)
    (folder / "readme.txt").touch()
    out = tmp_path / "c.parquet"
    assert main(["predict", str(fitted), str(folder), f"--out={out}", "--skip-bad", "--batch-size=3"]) == 0
    text = capsys.readouterr().out
    assert "19 rows" in text
    assert "4 could not be used" in text
    assert "readme.txt" in text
    found = {r["id"]: r for r in rows(out)}
    assert list(found) == sorted(found)
    bad = {k: r["error"] for k, r in found.items() if r["error"] is not None}
    assert set(bad) == {"a/00.npy", "a/02.npy", "b/99.png", "c.npy#2"}
    assert "NaN" in bad["a/00.npy"]
    assert "5 x 9" in bad["a/02.npy"]
    assert "c.npy#2" in bad["c.npy#2"]
    for name, row in found.items():
        assert (row["prediction"] is None) == (name in bad)
        assert (row["p_blob"] is None) == (name in bad)
    # the good ones are what they are without the bad ones
    alone = tmp_path / "d.parquet"
    good = [str(folder / n) for n in found if n not in bad and "#" not in n]
    assert main(["predict", str(fitted), *good, f"--out={alone}"]) == 0
    assert {r["id"]: r["p_blob"] for r in rows(alone)} == pytest.approx(
        {k.split("/")[1]: r["p_blob"] for k, r in found.items() if k not in bad and "#" not in k}
    )


def test_an_answer_that_is_no_number(networks, arguments, tmp_path, capsys):
    """Pixels far from those of training: the network overflows, and says so instead of writing NaN."""
    assert main(["fit", *arguments]) == 0
    save(tmp_path / "sky" / "a.npy", 3e38 * np.sign(np.random.default_rng(0).standard_normal((9, 9))))
    save(tmp_path / "sky" / "b.npy", np.zeros((9, 9)))
    args = ["predict", str(tmp_path / "out"), str(tmp_path / "sky"), f"--out={tmp_path / 'c.parquet'}"]
    assert main(args) == 2
    assert "'a.npy': the network answers nan" in capsys.readouterr().err
    assert not (tmp_path / "c.parquet").exists()
    assert main([*args, "--skip-bad"]) == 0
    a, b = rows(tmp_path / "c.parquet")
    assert a["p_flat"] is None
    assert "nan" in a["error"]
    assert b["error"] is None
    save(tmp_path / "sky" / "c.npy", np.full((9, 9), 1e300))
    assert main(["predict", str(tmp_path / "out"), str(tmp_path / "sky" / "c.npy"), args[-1], "--overwrite"]) == 2
    assert "81 of 81 pixels" in capsys.readouterr().err


def test_a_missing_package_is_one_line(fitted, folder, tmp_path, monkeypatch, capsys):
    import sys

    for name in [m for m in sys.modules if m.split(".")[0] == "astropy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "astropy", None)
    out = tmp_path / "c.parquet"
    for more in ([], ["--skip-bad"]):  # it is no fault of an image
        assert main(["predict", str(fitted), str(folder / "a" / "01.fits"), f"--out={out}", *more]) == 2
        assert "pip install 'steerable[lensing]'" in capsys.readouterr().err
    assert not out.exists()


def test_from_fits_cut_outs_to_a_catalogue(networks, tmp_path):
    """Train on a folder of FITS files, then answer to the same files: what evaluate counted is what the rows say."""
    x, y = bars(60, 3)
    for i, (image, k) in enumerate(zip(x, y, strict=True)):
        save(tmp_path / "sky" / ("flat", "upright", "blob")[k] / f"{i:02d}.fits", np.pad(image, 2))
    args = ["--model.name=tiny_plain", "--data.name=images", f"--data.root={tmp_path / 'sky'}", "--data.scale=peak"]
    args += ["--data.options.size=9", "--train.epochs=3", "--train.lr=0.03", f"--out={tmp_path / 'out'}"]
    assert main(["fit", *args, "--train.batch_size=8"]) == 0
    assert main(["evaluate", str(tmp_path / "out")]) == 0
    scores = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert main(["predict", str(tmp_path / "out"), str(tmp_path / "sky"), f"--out={tmp_path / 'c.parquet'}"]) == 0
    found = {r["id"]: r for r in rows(tmp_path / "c.parquet")}
    assert len(found) == 60
    from steerable.run.config import FitConfig
    from steerable.run.readers import load_data

    model, record = load(tmp_path / "out")
    data = load_data(FitConfig.from_dict(record["config"]).data).test
    expected = predict(model, data.x).double().softmax(1)
    each = torch.tensor([[r[f"p_{c}"] for c in data.classes] for r in found.values()], dtype=torch.float64)
    for answer in expected:  # every test image is one of the rows
        assert float((each - answer).abs().amax(1).min()) < 1e-6
    assert scores["accuracy"] == accuracy(expected, data.y)


def test_resize_only_on_request(fitted, tmp_path):
    big = tmp_path / "big.npy"
    x = bars(1, 5)[0][0]
    save(big, np.pad(x, 3, mode="edge"))
    out = tmp_path / "c.parquet"
    assert main(["predict", str(fitted), str(big), f"--out={out}"]) == 2
    assert not out.exists()
    assert main(["predict", str(fitted), str(big), f"--out={out}", "--resize=crop"]) == 0
    cropped = rows(out)[0]["p_flat"]
    save(tmp_path / "x.npy", x)
    assert main(["predict", str(fitted), str(tmp_path / "x.npy"), f"--out={out}", "--overwrite"]) == 0
    assert rows(out)[0]["p_flat"] == pytest.approx(cropped)
    assert main(["predict", str(fitted), str(big), f"--out={out}", "--resize=scale", "--overwrite"]) == 0
    assert rows(out)[0]["p_flat"] != pytest.approx(cropped)
    assert read_metadata(out)["resize"] == "scale"


def test_an_input_that_is_computed_first(fitted, folder, tmp_path, monkeypatch, capsys):
    """The hook for macro fits: it gets images and options, returns what the recipe takes, and adds columns."""
    for seed in ("seed0", "seed1"):
        record = json.loads((fitted / seed / "run.json").read_text())
        record.update(input="negative", input_settings={"pixel_scale": 0.05, "model": "SIE"})
        (fitted / seed / "run.json").write_text(json.dumps(record))
    out = tmp_path / "c.parquet"
    args = ["predict", str(fitted), str(folder), f"--out={out}", "--batch-size=5"]
    assert main(args) == 2
    assert "sees 'negative'" in capsys.readouterr().err
    seen = []

    def negative(images, options):
        seen.append(options)
        n = len(images)
        return -images, {"chi2": images.square().mean((1, 2, 3)), "converged": torch.ones(n, dtype=torch.bool),
                         "note": ["fine"] * n}  # fmt: skip

    monkeypatch.setitem(prepare.PREPARATIONS, "negative", Preparation(negative, ("pixel_scale",)))
    assert main([*args, "--pixel-scale=0.1"]) == 0
    assert seen[0] == {"pixel_scale": 0.1, "model": "SIE"}
    assert read_metadata(out)["options"] == {"pixel_scale": 0.1, "model": "SIE"}
    found = rows(out)
    assert found[0]["converged"] is True
    assert found[0]["note"] == "fine"
    assert found[0]["chi2"] > 0
    assert main([*args, "--psf-fwhm=0.1", "--overwrite"]) == 2
    assert "--psf-fwhm 0.1" in capsys.readouterr().err
    # a bad row has none of these
    (folder / "zz.npy").touch()
    assert main([*args, "--skip-bad", "--overwrite"]) == 0
    assert rows(out)[-1]["chi2"] is None
    assert rows(out)[-1]["error"]


def test_a_hook_may_not_take_a_column(fitted, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(
        prepare.PREPARATIONS, "pixels", Preparation(lambda images, options: (images, {"id": [1] * len(images)}))
    )
    with pytest.raises(ValueError, match="names of their own"):
        main(["predict", str(fitted), str(folder), f"--out={tmp_path / 'c.parquet'}"])
    assert not list(tmp_path.glob("*.parquet"))
    assert not list(tmp_path.glob(".*"))


def test_interrupted(fitted, folder, tmp_path, monkeypatch, capsys):
    calls = []

    def stop(images, options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return images, {}

    out = tmp_path / "new" / "c.parquet"
    with monkeypatch.context() as patch:
        patch.setitem(prepare.PREPARATIONS, "pixels", Preparation(stop))
        patch.setattr(catalogue, "ROWS", 1)
        assert main(["predict", str(fitted), str(folder), f"--out={out}", "--batch-size=5"]) == 130
    assert not out.parent.exists()
    # an old catalogue is still whole
    old = tmp_path / "c.parquet"
    assert main(["predict", str(fitted), str(folder), f"--out={old}"]) == 0
    before = old.read_bytes()
    (folder / "zz.npy").touch()
    assert main(["predict", str(fitted), str(folder), f"--out={old}", "--overwrite"]) == 2
    assert old.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


@pytest.fixture(scope="module")
def lens_run(tmp_path_factory):
    """A network that was trained for an epoch on blind residuals, and the images of its test part as FITS files."""
    fits = pytest.importorskip("astropy.io.fits")
    from steerable.tasks.lensing import LensSettings, load, simulate_files

    place = tmp_path_factory.mktemp("lenses")
    settings = LensSettings(pixels=32, pixel_scale=0.1, psf_fwhm=0.12, classes=("none", "cdm"))
    simulate_files(place / "set", {"train": 6, "validation": 4, "test": 4}, settings=settings)
    arguments = ["fit", "--config=lensing/classify", f"--data.root={place / 'set'}", f"--out={place / 'run'}",
                 "--data.options.input=fit_residual", "--train.epochs=1", "--train.device=cpu",
                 "--model.exact_sizes=false"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.undo()
        assert main(arguments) == 0
    test = load(place / "set" / "test")
    (place / "cutouts").mkdir()
    for i, image in enumerate(test.image):
        fits.PrimaryHDU(image.flip(0).numpy()).writeto(place / "cutouts" / f"{i}.fits")
    return place, test


def test_raw_images_are_fitted_before_a_network_of_residuals_sees_them(lens_run, tmp_path):
    place, test = lens_run
    out = tmp_path / "catalogue.parquet"
    assert main(["predict", str(place / "run"), str(place / "cutouts"), f"--out={out}"]) == 0
    found = rows(out)
    assert len(found) == 8 and all(r["converged"] for r in found)
    for i, row in enumerate(found):
        assert row["reason"] == "converged" or "more than noise" in row["reason"]
        assert abs(row["theta_e"] - float(test.fit_macro[i, 0])) < 0.03
        assert row["noise"] == pytest.approx(float(test.sigma[i]), rel=0.5)
        assert 0 <= row["p_cdm"] <= 1


def test_parameters_of_a_fits_image_are_those_of_the_sky(lens_run, tmp_path, capsys):
    """FITS has the lowest row first: y, e2 and g2 would change sign without turning it over."""
    place, test = lens_run
    save(tmp_path / "0.npy", test.image[0].numpy())
    out = tmp_path / "catalogue.parquet"
    files = [str(place / "cutouts" / "0.fits"), str(tmp_path / "0.npy")]
    assert main(["predict", str(place / "run"), *files, f"--out={out}"]) == 0
    assert "taken from training, in arcsec: --pixel-scale 0.1, --psf-fwhm 0.12;" in capsys.readouterr().out
    for row in rows(out):
        for column, name in enumerate(("theta_e", "e1", "e2", "g1", "g2", "lens_x", "lens_y", "source_x", "source_y")):
            assert row[name] == pytest.approx(float(test.fit_macro[0, column]), abs=0.02)


def test_a_blank_image_has_its_reason_and_no_answer(lens_run, tmp_path):
    place, _ = lens_run
    folder = tmp_path / "mixed"
    save(folder / "blank.npy", np.zeros((32, 32), dtype=np.float32))
    save(folder / "lens.npy", lens_run[1].image[0].numpy())
    out = tmp_path / "catalogue.parquet"
    assert main(["predict", str(place / "run"), str(folder), f"--out={out}", "--skip-bad"]) == 0
    row = rows(out)[0]
    assert "constant" in row["reason"] and not row["converged"] and row["p_cdm"] is None
    assert "constant" in row["error"]
    assert rows(out)[1]["error"] is None and rows(out)[1]["converged"]


def test_a_seeing_wider_than_the_image_is_named(lens_run, tmp_path, capsys):
    place, _ = lens_run
    out = tmp_path / "catalogue.parquet"
    assert main(["predict", str(place / "run"), str(place / "cutouts"), f"--out={out}", "--psf-fwhm=9"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "FWHM 9 arcsec" in error and "expected" in error
    assert not out.exists()


def test_the_background_of_a_lens_is_that_without_its_arcs() -> None:
    """What `predict` computes from images is what the network was trained on: arcs that reach the border are no sky."""
    data = simulate(20, seed=3, classes=("none",))
    assert data.fit_residual is not None
    options = {"pixel_scale": 0.05, "psf_fwhm": 0.087, "lens_light": 0}
    found, columns = blind_residual(data.image[:, None] + 5.0, options)
    assert all(columns["converged"])
    off = (found[:, 0] - data.fit_residual).square().mean().sqrt()
    assert float(off) < 0.12  # 0.28 with the background of the border as it is
    pull = (torch.tensor(list(columns["source_radius"])) - data.macro[:, 9]) / torch.tensor(
        list(columns["source_radius_error"])
    )
    assert abs(float(pull.mean())) < 5  # it was -15
