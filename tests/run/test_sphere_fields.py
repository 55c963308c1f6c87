"""Several fields of unlike units on the sphere, with gaps: trained, scored by field, answered into FITS files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import parquet

from steerable.data import InputError, Samples, Target
from steerable.data.sphere_file import first_table
from steerable.data.sphere_map import UNSEEN, read_mask_value
from steerable.run.answer_files import AnswerFiles
from steerable.run.cli import main
from steerable.run.compare.merit import merit_of
from steerable.run.config import DataConfig, FitConfig, TrainConfig
from steerable.run.dense import field_errors, field_figures
from steerable.run.objectives import objective_of
from steerable.run.parse import parse_fit
from steerable.run.readers import load_data
from steerable.run.store import load, meaning

SAMPLING = "healpix(4)"


def maps(count, seed=0):
    """Pressure and humidity in; a temperature and a wind out, which is linear in them; a tenth is missing."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((count, 4, 192))
    x = np.stack([1e5 + 500 * z[:, 0], 0.01 + 0.002 * z[:, 1]], 1)
    y = np.stack([280 + 10 * z[:, 1], 3e-4 * z[:, 2], 3e-4 * z[:, 3]], 1)
    gone = rng.random((count, 1, 192)) < 0.1
    return np.where(gone, UNSEEN, x), np.where(gone, UNSEEN, y)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fields")
    (folder / "data").mkdir()
    for part, count, seed in (("train", 8, 0), ("val", 4, 1), ("test", 4, 2)):
        x, y = maps(count, seed)
        np.savez(folder / "data" / f"{part}.npz", x=x, y=y)
    options = {
        "sampling": SAMPLING, "mask_value": ".nan", "target_type": "1x0 + 1x1", "columns": ["t", "south", "east"],
        "unit": ["K", "Pa", "Pa"],
    }  # fmt: skip
    words = ["--data.name=sphere", f"--data.root={folder / 'data'}", f"--data.options={json.dumps(options)}",
             "--model.name=sphere_unet", '--model.options={"widths": [2, 3], "kernel_size": 3}', "--train.epochs=2",
             "--train.batch_size=4", "--train.device=cpu", f"--out={folder / 'run'}"]  # fmt: skip
    assert main(["fit", *words]) == 0
    return folder


def test_scores_by_field(place, capsys):
    out = place / "run"
    record = json.loads((out / "run.json").read_text())
    assert record["preprocessing"][0]["step"] == "fields" and record["type"] == "2x0 + 1x0"
    assert record["target"]["units"] == ["K", "Pa", "Pa"] and meaning(record).units == ("K", "Pa", "Pa")
    assert record["validation"]["val_relative"] > 0
    assert main(["evaluate", str(out)]) == 0
    text = capsys.readouterr().out
    assert "RMSE/spread" in text and "t [K]" in text and "south, east [Pa]" in text and "bias by field" in text
    found = json.loads((out / "evaluation.json").read_text())
    rmse = found["tables"]["RMSE by field"]
    assert rmse["t [K]"] > 1 and 0 < rmse["south, east [Pa]"] < 0.01  # pooled, the small field would not be seen
    model, _ = load(out)
    test = load_data(FitConfig.from_dict(record["config"]).data).test
    with torch.no_grad():
        answer = model(test.x)
    own = field_errors(answer[:, 1:], test.y[:, 1:])
    assert own["rmse"] == pytest.approx(rmse["south, east [Pa]"], rel=1e-5)
    constant = found["floors"]["constant"]
    assert constant["relative"] == pytest.approx(1, abs=0.05)
    assert constant["tables"]["RMSE by field, turned"].keys() == rmse.keys()
    merit = merit_of(test)
    assert merit.keys == ("relative",)
    tally = merit.tally(merit.keep(answer, test)[None], test)
    assert float(-merit.figure(tally.mean(1))[0]) == pytest.approx(found["relative"], rel=1e-5)


def test_the_epoch_is_chosen_by_all_fields(place):
    test = load_data(
        DataConfig("sphere", str(place / "data"), options={"sampling": SAMPLING, "mask_value": ".nan"})
    ).test
    units = Target("y", "", ("a", "b", "c"), everywhere=True)
    data = Samples(test.x, test.y, units, "maps", sampling=SAMPLING, type=test.type)
    objective = objective_of(data, TrainConfig())
    assert objective.select == "val_relative"
    zero = torch.zeros_like(data.y)
    # the mean of each field is as good as its spread, whatever the unit
    assert objective.figures(zero, data.y)["val_relative"] == pytest.approx(1, rel=1e-3)
    worse = zero.clone()
    worse[:, 1] = 3
    assert objective.figures(worse, data.y)["val_relative"] > 1.5  # the planted fault: the pooled error does not move
    assert objective.figures(worse, data.y)["val_rmse"] == pytest.approx(objective.figures(zero, data.y)["val_rmse"])
    one = Samples(test.x, test.y[:, 1:], Target("w", "", ("s", "e"), everywhere=True, type="1x1"), sampling=SAMPLING,
                  type=test.type)  # fmt: skip
    assert objective_of(one, TrainConfig()).select == "val_rmse"
    assert "relative" not in field_figures(one.y, one.y, None, one.target)


def test_evaluate_of_a_file_reads_it_as_training_did(place):
    x, y = maps(3, 5)
    np.savez(place / "mine.npz", x=x, y=y)
    assert main(["evaluate", str(place / "run"), "--images", str(place / "mine.npz")]) == 0
    found = json.loads((place / "run" / "evaluation.mine.json").read_text())
    assert found["images"] == 3 and found["relative"] < 3


def test_a_run_is_scored_with_its_own_preparation(place, tmp_path):
    """Data elsewhere has another training part: its mean and spread are not those of the run."""
    assert main(["evaluate", str(place / "run")]) == 0
    own = json.loads((place / "run" / "evaluation.json").read_text())
    for part in ("train", "val", "test"):
        with np.load(place / "data" / f"{part}.npz") as z:
            x = np.where(z["x"] == UNSEEN, UNSEEN, 3 * z["x"]) if part == "train" else z["x"]
            np.savez(tmp_path / f"{part}.npz", x=x, y=z["y"])
    assert main(["evaluate", str(place / "run"), "--root", str(tmp_path)]) == 0
    again = json.loads((place / "run" / "evaluation.json").read_text())
    assert again["rmse"] == pytest.approx(own["rmse"], rel=1e-6)


@pytest.mark.parametrize("mend", [".nan", "-1.6375e+30", "9.9692102e+36"])
def test_the_mend_of_missing_pixels_can_be_typed(mend):
    config, _ = parse_fit(["--config", "maps", "--data.root=maps", f"--data.options.mask_value={mend}"])
    found = read_mask_value(config.data.options["mask_value"])
    assert found == float(mend.lstrip(".")) or (mend == ".nan" and np.isnan(found))
    assert config.data.scale == "fields"


def save_fits(path, columns, **header):
    fits = pytest.importorskip("astropy.io.fits")
    table = fits.BinTableHDU.from_columns([fits.Column(n, "E", array=v) for n, v in columns.items()])
    table.header.update({"ORDERING": "RING", "NSIDE": 4, "PIXTYPE": "HEALPIX", **header})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def test_fits_in_and_out(place, tmp_path, capsys):
    x, _ = maps(1, 7)
    save_fits(tmp_path / "map.fits", {"p": x[0, 0], "q": x[0, 1]}, COORDSYS="G")
    save_fits(tmp_path / "three.fits", {"p": x[0, 0], "q": x[0, 1], "hits": x[0, 1]})
    out = [f"--out={tmp_path / 'a.parquet'}", "--overwrite"]
    words = ["predict", str(place / "run"), str(tmp_path / "map.fits"), *out]
    for k, more in enumerate(([], ["--fill-missing"])):
        assert main([*words, f"--answers={tmp_path / str(k)}", "--answer-format=fits", *more]) == 0
        header, table = first_table(tmp_path / str(k) / "map.fits")
        assert header["COORDSYS"] == "G" and header["TUNIT1"] == "K" and list(table) == ["t", "south", "east"]
        unseen = np.abs(table["t"] - UNSEEN) < 1e26
        assert (unseen == (x[0, 0] == UNSEEN)).all() if not more else not unseen.any()
    assert main([*words, "--hdu=0"]) == 2
    assert "expected a binary table as number 0" in capsys.readouterr().err
    assert main(["predict", str(place / "run"), str(tmp_path / "three.fits"), *out]) == 2
    assert "has 3 columns of maps, ['p', 'q', 'hits']; expected 2" in capsys.readouterr().err
    np.save(tmp_path / "one.npy", x[0, :1])
    assert main(["predict", str(place / "run"), str(tmp_path / "one.npy"), *out]) == 2
    assert "has 1 channels; expected 2" in capsys.readouterr().err
    with pytest.raises(InputError, match="--fill-missing and npy files"):
        AnswerFiles.of(str(tmp_path / "x"), load(place / "run")[1], fill=True)
    assert main([*words, "--hdu=1"]) == 0 and parquet.read_table(tmp_path / "a.parquet").num_rows == 1


@pytest.mark.slow
def test_export_scales_as_the_run_does(place, tmp_path):
    assert main(["export", str(place / "run"), f"--out={tmp_path / 'm.pt2'}"]) == 0
    assert main(["evaluate", str(tmp_path / "m.pt2"), "--root", str(place / "data")]) == 0
    assert main(["evaluate", str(place / "run")]) == 0
    found, own = (
        json.loads(p.read_text()) for p in (tmp_path / "m.pt2.evaluation.json", place / "run" / "evaluation.json")
    )
    assert found["relative"] == pytest.approx(own["relative"], rel=1e-4)
    assert found["relative_turned"] == pytest.approx(own["relative_turned"], rel=0.05)
