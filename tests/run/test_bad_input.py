"""Bad input: one line that says what was given, what was expected and the mend; nothing is left behind."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import steerable as st
from steerable.run.cli import main


def snapshot(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def refuse(argv, capsys, folder, *words):
    """Run a command that must fail with one line on standard error and leave `folder` as it was."""
    before = snapshot(folder)
    capsys.readouterr()
    status = main(argv)
    out, err = capsys.readouterr()
    assert status == 2, (out, err)
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert err.startswith(f"steerable {argv[0]}: error: ")
    for word in words:
        assert word in err, (word, err)
    assert snapshot(folder) == before
    return err


@pytest.fixture
def fitted(networks, arguments, tmp_path):
    """A finished run."""
    assert main(["fit", *arguments]) == 0
    return tmp_path / "out"


def test_unknown_command(capsys):
    assert main(["fti"]) == 2
    err = capsys.readouterr().err
    assert "Did you mean 'fit'?" in err
    assert err.count("\n") == 1


def change(images, part="train", **arrays):
    with np.load(images / f"{part}.npz") as z:
        np.savez(images / f"{part}.npz", **{**dict(z), **arrays})


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["train", "test"])
def test_nan_images(networks, arguments, images, tmp_path, capsys, value, part):
    with np.load(images / f"{part}.npz") as z:
        x = z["x"].copy()
    x[3, 2, 1] = value
    change(images, part, x=x)
    refuse(["fit", *arguments], capsys, tmp_path, "NaN or infinite", "first: image 3", f"{part}.npz", "expected finite")


def test_empty_folder(networks, arguments, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    args = [*arguments, f"--data.root={tmp_path / 'empty'}"]
    refuse(["fit", *args], capsys, tmp_path, "holds no .npz file", "expected train.npz")
    refuse(["fit", *arguments, f"--data.root={tmp_path / 'none'}"], capsys, tmp_path, "is not a folder")


def test_misspelt_keys(networks, arguments, tmp_path, capsys):
    for text, word, mend in [
        ("model:\n  nmae: tiny_plain\n", "model.nmae", "model.name"),
        ("train:\n  epoch: 3\n", "train.epoch", "train.epochs"),
        ("trian:\n  epochs: 3\n", "trian.epochs", "train.epochs"),
        ("outt: a\n", "outt", "'out'"),
    ]:
        (tmp_path / "c.yaml").write_text(text)
        args = ["fit", "--config", str(tmp_path / "c.yaml"), *arguments]
        refuse(
            args, capsys, tmp_path, f"no key '{word}'", "expected one of", f"Did you mean '{mend}'?".replace("''", "'")
        )
    refuse(["fit", *arguments, "--train.epcohs=3"], capsys, tmp_path, "train.epcohs", "Did you mean 'train.epochs'?")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("train:\n  epochs: many\n", "many"),
        ("train:\n  augment: mirror\n", "mirror"),
        ("train:\n  epochs: 0\n", "expected at least 1"),
        ("train:\n  lr: -1.0\n", "expected lr above 0"),
        ("train: 3\n", "Indent them below"),
        ("a: [\n", "config"),
        ("- a\n", "config"),
    ],
)
def test_wrong_values(networks, arguments, tmp_path, capsys, text, word):
    (tmp_path / "c.yaml").write_text(text)
    args = [a for a in arguments if not a.startswith("--train")]
    refuse(["fit", "--config", str(tmp_path / "c.yaml"), *args], capsys, tmp_path, word)


def test_unknown_names(networks, arguments, tmp_path, capsys):
    for arg, word, mend in [
        ("--model.name=tiny_plian", "model.name is 'tiny_plian'", "Did you mean 'tiny_plain'?"),
        ("--data.name=fodler", "data.name is 'fodler'", "Did you mean 'folder'?"),
        ("--data.options.szie=9", "data.options.szie", "Did you mean 'size'?"),
        ("--model.options.widht=9", "widht", "expected"),
        ("--model.group=E8", "model.group is 'E8'", "expected"),
        ("--config=digist", "'digist' is no file", "Did you mean 'digits'?"),
    ]:
        refuse(["fit", *arguments, arg], capsys, tmp_path, word, mend)


def test_fit_of_nothing(tmp_path, capsys):
    refuse(["fit"], capsys, tmp_path, "was given nothing", "--config NAME", "digits")


def test_wrong_channels(fitted, images, tmp_path, capsys):
    with np.load(images / "test.npz") as z:
        x, y, classes = z["x"], z["y"], z["classes"]
    np.savez(tmp_path / "rgb.npz", x=np.stack([x] * 3, 1), y=y, classes=classes)
    args = ["evaluate", str(fitted), "--images", str(tmp_path / "rgb.npz")]
    refuse(args, capsys, tmp_path, "images have 3 channels", "expects 1", "rgb.npz")
    np.savez(tmp_path / "other.npz", x=x, y=y, classes=classes[::-1])
    args = ["evaluate", str(fitted), "--images", str(tmp_path / "other.npz")]
    refuse(args, capsys, tmp_path, "classes are ['blob', 'upright', 'flat']", "expects ['flat', 'upright', 'blob']")


def test_a_network_that_cannot_take_the_images(networks, arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(networks, "tiny_plain", lambda in_channels, num_classes: torch.nn.Conv2d(2, 3, 3))
    refuse(["fit", *arguments], capsys, tmp_path, "cannot take images of [1, 9, 9]")
    monkeypatch.setitem(networks, "tiny_plain", lambda in_channels, num_classes: torch.nn.Flatten())
    refuse(["fit", *arguments], capsys, tmp_path, "returns [81] numbers", "expected 3")


def test_a_size_that_breaks_exactness(networks, arguments, tmp_path, capsys, monkeypatch):
    def strided(in_channels, num_classes):
        c4 = st.C(4)
        conv = st.nn.Conv2d(in_channels * c4.trivial, num_classes * c4.trivial, 3, stride=2, padding=1)
        return st.nn.Sequential(conv, st.nn.GlobalAvgPool2d())

    monkeypatch.setitem(networks, "tiny_plain", strided)
    args = [*arguments, "--data.options.size=10"]
    refuse(["fit", *args], capsys, tmp_path, "images of 10 x 10", "such as 11 x 11", "(data.options.size")
    assert main(["fit", *arguments, "--data.options.size=11"]) == 0
    with pytest.warns(st.nn.exactness.ExactnessWarning):
        assert main(["fit", *args, "--model.exact_sizes=false", f"--out={tmp_path / 'b'}"]) == 0


def test_checkpoint_of_another_model(fitted, tmp_path, capsys):
    record = json.loads((fitted / "run.json").read_text())
    other = tmp_path / "other"
    shutil.copytree(fitted, other)
    record["config"]["model"]["options"] = {"width": 5}
    (other / "run.json").write_text(json.dumps(record))
    refuse(["evaluate", str(other)], capsys, tmp_path, "weights of another model", "is [6, 1, 3, 3]", "[5, 1, 3, 3]")
    save_file({"w": torch.zeros(1)}, other / "model.safetensors")
    refuse(["evaluate", str(other)], capsys, tmp_path, "weights of another model", "is missing")


def test_another_basis(fitted, tmp_path, capsys):
    record = json.loads((fitted / "run.json").read_text())
    record["fingerprint"] = {"0.bank": 1.5}
    (fitted / "run.json").write_text(json.dumps(record))
    refuse(["evaluate", str(fitted)], capsys, tmp_path, "basis '0.bank'", "fingerprint")


def test_no_run(networks, tmp_path, capsys):
    refuse(["evaluate", str(tmp_path / "none")], capsys, tmp_path, "is not a folder", "expected")
    (tmp_path / "a").mkdir()
    refuse(["evaluate", str(tmp_path / "a")], capsys, tmp_path, "holds no run", "expected")
    for text in ("{", "[]", "{}", '{"format": "steerable-run-2"}'):
        (tmp_path / "a" / "run.json").write_text(text)
        refuse(["evaluate", str(tmp_path / "a")], capsys, tmp_path, "expected")


def test_weights_are_never_unpickled(fitted, tmp_path, capsys):
    torch.save({"w": torch.zeros(1)}, fitted / "model.safetensors")
    refuse(["evaluate", str(fitted)], capsys, tmp_path, "cannot be read", "expected a safetensors file")
    (fitted / "model.safetensors").unlink()
    refuse(["evaluate", str(fitted)], capsys, tmp_path, "does not exist", "expected")


class Evil:
    """Would create a file when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_resume_refuses(fitted, arguments, tmp_path, capsys):
    path = tmp_path / "x.partial" / "last.ckpt"
    refuse(["fit", "--resume", str(path)], capsys, tmp_path, "does not exist", "expected")
    path.parent.mkdir()
    torch.save({"steerable": Evil(tmp_path / "pwned"), "state_dict": {}}, path)
    refuse(["fit", "--resume", str(path)], capsys, tmp_path, "tensors and plain values", "expected a checkpoint")
    torch.save({"state_dict": {}}, path)
    refuse(["fit", "--resume", str(path)], capsys, tmp_path, "no checkpoint of `steerable fit`")
    record = json.loads((fitted / "run.json").read_text())
    torch.save({"steerable": record, "state_dict": {"model.w": torch.zeros(3)}}, path)
    refuse(["fit", "--resume", str(path)], capsys, tmp_path, "holds another model", "expected")
    refuse(["fit", "--resume", str(path), *arguments], capsys, tmp_path, "expected it alone")


def npy(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.fits", b"SIMPLE  =                    T", ("a.fits", "cannot be read as fits")),
        ("a.fits", b"no FITS file, but text\n" * 200, ("a.fits", "cannot be read as fits")),
        ("a.png", b"\x89PNG\r\n", ("a.png", "cannot be read as png")),
        ("a.npz", b"PK", ("a.npz", "cannot be read as npz")),
        ("a.gif", b"", ("a.gif", "'.gif'", "expected one of .fits")),
        ("a.tiff", b"no TIFF", ("a.tiff", "cannot be read as tif")),
        ("a.npy", np.zeros((9, 8)), ("a.npy", "9 x 8 pixels", "expected 9 x 9", "--resize crop")),
        ("a.npy", np.zeros((2, 3, 9, 9)), ("a.npy#0", "3 channels", "expected 1,")),
        ("a.npy", np.full((9, 9), np.nan), ("a.npy", "81 of 81 pixels", "NaN")),
        ("a.npy", np.zeros((0, 9, 9)), ("a.npy", "0 images")),
        ("a.npy", np.zeros(9), ("a.npy", "[9]")),
    ],
)
def test_predict_refuses_an_image(fitted, tmp_path, capsys, name, content, words):
    path = tmp_path / "sky" / name
    path.parent.mkdir()
    npy(path, content) if isinstance(content, np.ndarray) else path.write_bytes(content)
    good = npy(tmp_path / "good.npy", np.zeros((9, 9)))
    args = ["predict", str(fitted), str(good), str(path), f"--out={tmp_path / 'new' / 'c.parquet'}"]
    refuse(args, capsys, tmp_path, "expected", *words)
    # with nothing but this image even a forgiving run has nothing to say
    args = ["predict", str(fitted), str(path), f"--out={tmp_path / 'c.parquet'}", "--skip-bad"]
    refuse(args, capsys, tmp_path, "can be used", *words)


def test_predict_refuses(fitted, tmp_path, capsys, monkeypatch):
    good = str(npy(tmp_path / "good.npy", np.zeros((9, 9))))
    run, out = str(fitted), f"--out={tmp_path / 'c.parquet'}"
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("# nothing\n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xff")
    for args, words in [
        ([str(tmp_path / "none"), good, out], ("is not a folder",)),
        ([str(tmp_path / "empty"), good, out], ("holds no run",)),
        ([run, out], ("0 images were given",)),
        ([run, str(tmp_path / "none.fits"), out], ("none.fits", "does not exist")),
        ([run, str(tmp_path / "empty"), out], ("reads (0 other files)",)),
        ([run, f"@{tmp_path / 'none.txt'}", out], ("none.txt", "one path a line")),
        ([run, f"@{tmp_path / 'list.txt'}", out], ("names no file",)),
        ([run, "--list", str(tmp_path / "bytes.txt"), out], ("is no text",)),
        ([run, good, good, out], ("given twice",)),
        ([run, good, f"--out={tmp_path / 'c.csv'}"], ("'.csv'", "FILE.parquet")),
        ([run, good, out, "--batch-size=0"], ("--batch-size 0",)),
        ([run, good, out, "--pixel-scale=0.1"], ("no use for it", "Drop it")),
    ]:
        refuse(["predict", *args], capsys, tmp_path, "expected", *words)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    refuse(["predict", run, good, out, "--device=gpu"], capsys, tmp_path, "finds none here")
    (tmp_path / "c.parquet").write_bytes(b"old")
    refuse(["predict", run, good, out], capsys, tmp_path, "exists already", "--overwrite")
    assert (tmp_path / "c.parquet").read_bytes() == b"old"
    (tmp_path / "d.parquet").mkdir()
    args = ["predict", run, good, f"--out={tmp_path / 'd.parquet'}", "--overwrite"]
    refuse(args, capsys, tmp_path, "exists already", "--out OTHER")


def test_predict_refuses_seeds_that_differ(networks, arguments, tmp_path, capsys):
    assert main(["fit", *arguments, "--seeds", "0", "1"]) == 0
    record = json.loads((tmp_path / "out" / "seed1" / "run.json").read_text())
    record["preprocessing"] = [{"step": "peak"}]
    (tmp_path / "out" / "seed1" / "run.json").write_text(json.dumps(record))
    good = str(npy(tmp_path / "good.npy", np.zeros((9, 9))))
    args = ["predict", str(tmp_path / "out"), good, f"--out={tmp_path / 'c.parquet'}"]
    refuse(args, capsys, tmp_path, "seed1", "preprocessing", "the same in all seeds")
    record["preprocessing"] = [{"step": "peek"}]
    for seed in ("seed0", "seed1"):
        (tmp_path / "out" / seed / "run.json").write_text(json.dumps(record))
    refuse(args, capsys, tmp_path, "no step 'peek'", "Did you mean 'peak'?")


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("zz.npy", np.full((9, 9), np.nan), ("zz.npy", "NaN")),
        ("zz.npy", np.zeros((9, 8)), ("zz.npy", "9 x 8", "9 x 9", "same")),
        ("zz.npy", np.zeros((1, 3, 9, 9)), ("zz.npy", "3 channels", "same")),
        ("zz.txt", None, ("zz.txt", "of another kind")),
        ("zz.fits", None, ("zz.fits", "cannot be read as fits")),
    ],
)
def test_fit_refuses_a_folder_of_images(networks, arguments, tmp_path, capsys, name, array, words):
    rng = np.random.default_rng(0)
    for i in range(20):
        npy(tmp_path / "sky" / "ab"[i % 2] / f"{i:02d}.npy", rng.random((9, 9)))
    args = [a for a in arguments if not a.startswith("--data")]
    args += ["--data.name=images", f"--data.root={tmp_path / 'sky'}", "--train.epochs=1"]
    assert main(["fit", *args]) == 0
    shutil.rmtree(tmp_path / "out")
    path = tmp_path / "sky" / "b" / name
    path.touch() if array is None else npy(path, array)
    refuse(["fit", *args], capsys, tmp_path, "expected", *words)


def test_fit_refuses_settings_of_the_other_kind(networks, arguments, images, tmp_path, capsys):
    for more, words in [
        (["--data.target=mass"], ("['mass'] are missing",)),
        (["--data.images=3"], ("data.images is 3", "Set data.per_class")),
        (["--train.select=val_mae"], ("train.select is 'val_mae'", "the data has classes", "val_accuracy")),
        (["--train.loss=mse"], ("train.loss is 'mse'", "the data has classes")),
        (["--data.scale=peek"], ("data.scale is 'peek'", "Did you mean 'peak'?")),
        (["--data.options.target=mass"], ("has no such option",)),
    ]:
        refuse(["fit", *arguments, *more], capsys, tmp_path, "expected", *words)
    for part in ("train", "val", "test"):
        change(images, part, mass=np.arange(48 if part == "train" else 24 if part == "val" else 30) / 7)
    for more, words in [
        (["--data.per_class=3"], ("Set data.images",)),
        (["--data.images=3000"], ("expected 1 to 48",)),
        (["--train.select=val_accuracy"], ("the data has values", "val_mae")),
    ]:
        refuse(["fit", *arguments, "--data.target=mass", *more], capsys, tmp_path, "expected", *words)
    change(images, "train", mass=np.full(48, 2.0))
    refuse(["fit", *arguments, "--data.target=mass"], capsys, tmp_path, "all 48 training values", "values that differ")
    change(images, "test", mass=np.full(30, np.nan))
    refuse(["fit", *arguments, "--data.target=mass"], capsys, tmp_path, "30 of 30 values", "finite")
    digits = ["--data.name=digits", "--data.target=angle", "--data.options={}"]
    refuse(["fit", *arguments, *digits], capsys, tmp_path, "'digits' has classes only", "expected null")


def test_evaluate_refuses_other_answers(fitted, images, tmp_path, capsys):
    run = ["evaluate", str(fitted)]
    refuse([*run, "--bins=0"], capsys, tmp_path, "--bins 0", "at least 1")
    with np.load(images / "test.npz") as z:
        x, y, classes = z["x"], z["y"], z["classes"]
    np.savez(tmp_path / "big.npz", x=np.pad(x, ((0, 0), (1, 1), (1, 1))), y=y, classes=classes)
    refuse([*run, "--images", str(tmp_path / "big.npz")], capsys, tmp_path, "11 x 11", "expects 9 x 9")
    record = json.loads((fitted / "run.json").read_text())
    record["input"] = "residual"
    (fitted / "run.json").write_text(json.dumps(record))
    refuse([*run, "--images", str(images / "test.npz")], capsys, tmp_path, "sees 'residual'", "steerable predict")
    (fitted / "floors.json").write_text("{}")
    refuse(run, capsys, tmp_path, "floors.json", "Train again")
    (fitted / "floors.json").unlink()
    refuse(run, capsys, tmp_path, "floors.json", "does not exist")


def test_taken_names(fitted, arguments, tmp_path, capsys):
    refuse(["fit", *arguments], capsys, tmp_path, "exists already", "--out OTHER")
    (tmp_path / "new.partial").mkdir()
    refuse(["fit", *arguments, f"--out={tmp_path / 'new'}"], capsys, tmp_path, "unfinished run", "remove that folder")
    (tmp_path / "new.partial" / "last.ckpt").touch()
    refuse(["fit", *arguments, f"--out={tmp_path / 'new'}"], capsys, tmp_path, "Continue it with --resume")


def test_a_failing_run_leaves_nothing(networks, arguments, images, tmp_path, capsys):
    args = [*arguments, "--train.lr=1e30", f"--out={tmp_path / 'deep' / 'er' / 'out'}"]
    refuse(["fit", *args], capsys, tmp_path, "mean loss", "Lower train.lr")


def test_too_few_images(networks, arguments, tmp_path, capsys):
    refuse(["fit", *arguments, "--data.per_class=17"], capsys, tmp_path, "17 images a class", "only")
    refuse(["fit", *arguments, "--seeds", "1", "1"], capsys, tmp_path, "each once")


def test_check_refuses(networks, tmp_path, capsys):
    refuse(["check", str(tmp_path / "none")], capsys, tmp_path, "is not a folder")
    refuse(["check", "tiny_plian", f"--out={tmp_path / 'c.png'}"], capsys, tmp_path, "Did you mean 'tiny_plain'?")
    refuse(["check", "tiny_plain", f"--out={tmp_path / 'no' / 'c.png'}"], capsys, tmp_path, "does not exist")


def test_simulate_refuses(tmp_path, capsys):
    refuse(["simulate"], capsys, tmp_path, "expected one of lensing")
    refuse(["simulate", "lensnig"], capsys, tmp_path, "Did you mean 'lensing'?")
    out = f"--out={tmp_path / 'lenses'}"
    refuse(["simulate", "lensing", out, "--trian=3"], capsys, tmp_path, "trian", "Did you mean 'train'?")
    refuse(["simulate", "lensing", out, "--train=0"], capsys, tmp_path, "at least 1")
    refuse(["simulate", "lensing", out, "--settings.pixels=-3"], capsys, tmp_path, "pixels=-3")
    refuse(["simulate", "lensing", f"--out={tmp_path}"], capsys, tmp_path, "exists already")
    few = [out, "--train=1", "--validation=1", "--test=1"]
    for setting, words in (
        ("pixels=3", "expected at least 8 for a blind fit"),
        ("theta_e=[50,60]", "none is dark"),
        ("halo_masses=[1,2]", "expected at most 100000"),
        ("halo_masses=[1e8,1e20]", "at most 1e13"),
        ("halo_fraction=2", "expected a share between 0 and 1"),
        ("vortex_fraction=2", "expected a share between 0 and 1"),
        ("log10_axion_mass=[23,24]", "within -30 and -10"),
        ("sersic_index=[50,60]", "within 0.17 and 10"),
        ("z_lens=1.5", "the source lies behind the lens"),
        ("z_source=0.5000000001", "move the source away from the lens"),
        ("psf_fwhm=10", "expected a point-spread function that fits in"),
    ):
        refuse(["simulate", "lensing", *few, f"--settings.{setting}"], capsys, tmp_path, words)


def test_models_refuses(networks, tmp_path, capsys):
    refuse(["models", "tiny_plian"], capsys, tmp_path, "Did you mean 'tiny_plain'?")
    refuse(["models", "tiny_invariant", "--group", "Z"], capsys, tmp_path, "model.group is 'Z'")


def test_lensing_data_must_be_there(networks, arguments, tmp_path, capsys):
    args = [*arguments, "--data.name=lensing"]
    refuse(["fit", *args, f"--data.root={tmp_path}"], capsys, tmp_path, "does not exist", "steerable simulate lensing")
    args = [a for a in args if "data.root" not in a]
    refuse(["fit", *args], capsys, tmp_path, "expected a folder", "steerable simulate lensing")


def test_demo_refuses(tmp_path, capsys):
    refuse(["demo", f"--out={tmp_path}"], capsys, tmp_path, "no report of a demo")
    refuse(["demo", f"--out={tmp_path / 'a'}", "--train=0"], capsys, tmp_path, "at least 1")
