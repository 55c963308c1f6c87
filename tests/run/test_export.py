"""export: each file says what its network says, holds ordinary operators only, and appears whole or not at all."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest
import torch

import steerable as st
from steerable.data import Recipe
from steerable.run.answer import Folder, OnnxFile, Program, open_answerer
from steerable.run.catalogue import read_metadata
from steerable.run.cli import main
from steerable.run.commands import export as command
from steerable.run.export import build
from steerable.run.export.compare import BOUNDS, compare, require
from steerable.run.export.header import ENTRY
from steerable.run.export.images import find_images
from steerable.run.export.operators import onnx_operators, program_operators
from steerable.run.outputs import read_json, write_json

from .conftest import bars

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
parquet = pytest.importorskip("pyarrow.parquet")

#: a steerable network that is exact on 9 x 9 pixels and trains in a second
NET = [
    "--model.name=steerable_cnn",
    "--model.group=C4",
    "--model.options.fields=[3,3]",
    "--model.options.kernels=[3,3]",
    "--model.options.pool_after=[1]",
]


def rows(path):
    return parquet.read_table(path).to_pylist()


def snapshot(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Images, and a run of two seeds of a steerable network on them, with a preparation that measures each image."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "images").mkdir()
    for seed, (part, n) in enumerate({"train": 96, "val": 48, "test": 30}.items()):
        x, y = bars(n, seed)
        more = {"mass": y.astype(np.float32) - 24 + 0.1 * np.random.default_rng(seed).random(n).astype(np.float32)}
        np.savez(folder / "images" / f"{part}.npz", x=x, y=y, classes=np.array(["flat", "upright", "blob"]), **more)
    common = ["--data.name=folder", f"--data.root={folder / 'images'}", "--train.device=cpu", "--train.batch_size=16"]
    common += [*NET, "--train.epochs=6", "--train.lr=0.02", "--data.scale=noise", "--seeds", "0", "1"]
    assert main(["fit", *common, f"--out={folder / 'run'}"]) == 0
    assert main(["fit", *common, "--data.target=mass", f"--out={folder / 'values'}"]) == 0
    return folder


@pytest.fixture(scope="module")
def files(place):
    """All three formats of the classifier."""
    assert main(["export", str(place / "run"), "--format", "program", "onnx", "int8", f"--out={place / 'out'}"]) == 0
    return place / "out"


def test_a_calibrated_run_becomes_integers(place, tmp_path):
    args = ["fit", "--data.name=folder", f"--data.root={place / 'images'}", "--train.device=cpu", *NET]
    args += ["--train.epochs=4", "--train.lr=0.02", "--train.calibrate=true", f"--out={tmp_path / 'sure'}"]
    assert main(args) == 0
    assert read_json(tmp_path / "sure" / "run.json", "a run")["calibration"]["temperature"] != 1.0
    for kind in ("onnx", "int8"):
        out = tmp_path / f"{kind}.onnx"
        assert main(["export", str(tmp_path / "sure"), "--format", kind, "--changed=1", f"--out={out}"]) == 0
    x = torch.from_numpy(bars(12, 5)[0])[:, None]
    exact, integers = (open_answerer(tmp_path / f"{kind}.onnx") for kind in ("onnx", "int8"))
    assert torch.allclose(exact(exact.recipe(x)), integers(integers.recipe(x)), atol=0.2)


# ---- what is written -----------------------------------------------------------------------------------------------


def test_all_formats_at_once(files):
    assert snapshot(files) == ["model.int8.onnx", "model.onnx", "model.pt2"]


@pytest.mark.parametrize("name", ["model.pt2", "model.onnx"])
def test_a_file_is_eager_on_real_images(files, place, name):
    images, warning = find_images(read_json(place / "run" / "seed0" / "run.json", "a run"), [], None, "run")
    assert warning == "" and images.real and len(images.check) == 48
    found = compare(Folder.load(place / "run"), open_answerer(files / name), images)
    assert found.relative < 1e-5
    assert found.absolute < 1e-5
    assert found.agreement == 1.0
    assert found.before == found.after > 0.5


def test_the_float64_program_is_eager_to_1e_10(place, tmp_path):
    out = tmp_path / "double.pt2"
    assert main(["export", str(place / "run"), "--precision=float64", f"--out={out}"]) == 0
    images, _ = find_images(read_json(place / "run" / "seed0" / "run.json", "a run"), [], None, "run")
    eager, file = Folder.load(place / "run").double(), Program.load(out)
    assert file.dtype == torch.float64
    assert compare(eager, file, images).relative < 1e-10


def test_integers_agree_with_the_network(files, place):
    images, _ = find_images(read_json(place / "run" / "seed0" / "run.json", "a run"), [], None, "run")
    found = compare(Folder.load(place / "run"), open_answerer(files / "model.int8.onnx"), images)
    assert found.agreement > 0.9
    assert 1e-5 < found.relative < 0.2  # integers, and not floats in disguise
    assert abs(found.before - found.after) <= 0.05
    operators = onnx_operators(onnx.load(files / "model.int8.onnx"))
    assert operators["QLinearConv"] >= 4
    assert "Conv" not in operators


def test_ordinary_operators_only(files):
    program = torch.export.load(files / "model.pt2")
    found = program_operators(program)
    assert all(name.startswith("aten.") for name in found)
    assert found["aten.conv2d.default"] >= 4
    for name in ("model.onnx", "model.int8.onnx"):
        model = onnx.load(files / name)
        assert {n.domain for n in model.graph.node} <= {"", "ai.onnx"}
        assert onnx_operators(model) == open_answerer(files / name).header["operators"]
        onnx.checker.check_model(model, full_check=True)


def test_a_file_refuses_images_of_another_size_as_its_run_does(files, place, tmp_path, capsys):
    np.save(tmp_path / "big.npy", np.zeros((12, 12), np.float32))
    for what in (place / "run", files / "model.pt2", files / "model.onnx", files / "model.int8.onnx"):
        assert main(["predict", str(what), str(tmp_path / "big.npy"), f"--out={tmp_path / 'c.parquet'}"]) == 2
        err = capsys.readouterr().err
        assert "12 x 12 pixels; expected 9 x 9" in err and "--resize crop" in err and err.count("\n") == 1
        assert not (tmp_path / "c.parquet").exists()


def test_operators_are_told_in_short_lines(files, place, tmp_path, capsys):
    header = open_answerer(files / "model.pt2").header["operators"]
    out = ["export", str(place / "run"), f"--out={tmp_path / 'm.pt2'}", "--overwrite"]
    assert main(out) == 0
    short = capsys.readouterr().out
    assert f"ordinary operators only, {len(header)} kinds, {sum(header.values())} in all: " in short
    assert short.count("aten.") == 5 and "--verbose" in short
    text = short[short.index("  ordinary") :].split("\nanswer")[0]
    assert max(map(len, text.splitlines())) <= 100
    assert main([*out, "--verbose"]) == 0
    whole = capsys.readouterr().out
    assert all(name in whole for name in header)
    assert max(len(line) for line in whole[whole.index("  ordinary") :].split("\nanswer")[0].splitlines()) <= 100


def test_the_header_says_it_all(files, place):
    run = read_json(place / "run" / "seed0" / "run.json", "a run")
    for name, kind in (("model.pt2", "program"), ("model.onnx", "onnx"), ("model.int8.onnx", "int8")):
        header = open_answerer(files / name).header
        assert header["kind"] == kind
        assert header["seeds"] == [0, 1]
        record = header["record"]
        for key in ("classes", "target", "raw_size", "preprocessing", "fingerprint", "versions", "in_channels"):
            assert record[key] == run[key]
        assert str(place) not in json.dumps(header)  # no path of this machine travels
        assert header["floors"]["outputs"] == 3


# ---- who answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "close"), [("model.pt2", 1e-5), ("model.onnx", 1e-5), ("model.int8.onnx", 0.15)])
def test_predict_gives_the_catalogue_of_the_run(files, place, tmp_path, name, close):
    images = str(place / "images" / "test.npz")
    for source, out in ((place / "run", "run.parquet"), (files / name, "file.parquet")):
        assert main(["predict", str(source), images, f"--out={tmp_path / out}", "--batch-size=7"]) == 0
    a, b = rows(tmp_path / "run.parquet"), rows(tmp_path / "file.parquet")
    assert list(a[0]) == list(b[0])
    assert parquet.read_schema(tmp_path / "run.parquet") == parquet.read_schema(tmp_path / "file.parquet")
    for one, two in zip(a, b, strict=True):
        assert one["id"] == two["id"]
        for key in ("p_flat", "p_upright", "p_blob", "spread"):
            assert two[key] == pytest.approx(one[key], abs=close)
    same = sum(one["prediction"] == two["prediction"] for one, two in zip(a, b, strict=True))
    assert same == 30 or (close > 1e-3 and same >= 27)
    about, other = (read_metadata(tmp_path / f"{n}.parquet") for n in ("run", "file"))
    assert {k: v for k, v in about.items() if k != "run"} == {k: v for k, v in other.items() if k != "run"}


@pytest.mark.parametrize("form", ["program", "onnx", "int8"])
def test_values_in_their_unit(place, tmp_path, form):
    out = tmp_path / f"m{command.FORMATS[form]}"
    assert main(["export", str(place / "values"), "--format", form, f"--out={out}"]) == 0
    for source, name in ((place / "values", "a"), (out, "b")):
        args = ["predict", str(source), str(place / "images" / "test.npz"), f"--out={tmp_path / name}.parquet"]
        assert main(args) == 0
    a, b = rows(tmp_path / "a.parquet"), rows(tmp_path / "b.parquet")
    close = 0.2 if form == "int8" else 1e-4
    assert [r["mass"] for r in b] == pytest.approx([r["mass"] for r in a], abs=close)
    assert [r["mass_spread"] for r in b] == pytest.approx([r["mass_spread"] for r in a], abs=close)
    assert open_answerer(out).header["outputs"] == ["value", "values"]


@pytest.mark.parametrize("form", ["program", "onnx", "int8"])
def test_a_calibrated_network(place, tmp_path, form):
    shutil.copytree(place / "run" / "seed0", tmp_path / "run")
    record = read_json(tmp_path / "run" / "run.json", "a run")
    write_json(tmp_path / "run" / "run.json", {**record, "calibration": {"temperature": 3.0}})
    out = tmp_path / f"m{command.FORMATS[form]}"
    assert main(["export", str(tmp_path / "run"), "--format", form, f"--out={out}"]) == 0
    x = torch.from_numpy(bars(6, 9)[0])[:, None]
    file, eager, hot = open_answerer(out), Folder.load(tmp_path / "run"), Folder.load(place / "run" / "seed0")
    assert torch.allclose(file(x), eager(eager.recipe(x)), atol=0.1 if form == "int8" else 1e-5)
    assert torch.allclose(3 * eager.each(eager.recipe(x)), hot.each(hot.recipe(x)), atol=1e-4)
    if form != "program":  # the temperature stands once, in floats, after the networks
        assert "Div" in onnx_operators(onnx.load(out))


@pytest.mark.parametrize("form", ["program", "onnx", "int8"])
@pytest.mark.parametrize("options", [["--batch=4"], ["--batch=1", "--seed=1"], ["--recipe=outside"]], ids=str)
def test_fixed_batches_one_seed_and_bare_networks(place, tmp_path, form, options):
    out = tmp_path / f"m{command.FORMATS[form]}"
    assert main(["export", str(place / "run"), "--format", form, f"--out={out}", *options]) == 0
    file = open_answerer(out)
    eager = Folder.load(place / "run", seed=1 if "--seed=1" in options else None)
    x = torch.from_numpy(bars(6, 9)[0])[:, None]  # 6 images: a batch of 4 is filled up
    assert torch.allclose(file(file.recipe(x)), eager(eager.recipe(x)), atol=0.15 if form == "int8" else 1e-5)
    assert file.seeds == eager.seeds
    assert (file.recipe == eager.recipe) == ("--recipe=outside" in options)
    if form != "program":
        size = onnx.load(out).graph.input[0].type.tensor_type.shape.dim[0]
        assert size.dim_value == (int(options[0][-1]) if options[0].startswith("--batch") else 0)


def test_evaluate_and_check_take_files(files, place, tmp_path, capsys):
    runs = [str(place / "run" / "seed0"), str(files / "model.onnx"), str(files / "model.pt2")]
    assert main(["evaluate", runs[1]]) == 2  # the file does not know where its images lie
    assert "say --root DIR" in capsys.readouterr().err
    assert main(["evaluate", *runs, f"--root={place / 'images'}"]) == 0
    text = capsys.readouterr().out
    assert "steerable_cnn (onnx)" in text and "steerable_cnn (program)" in text
    own = json.loads((files / "model.onnx.evaluation.json").read_text())
    other = json.loads((files / "model.pt2.evaluation.json").read_text())
    assert own["accuracy"] == other["accuracy"]
    assert own["floors"] == json.loads((place / "run" / "seed0" / "evaluation.json").read_text())["floors"]
    picture = f"--out={tmp_path / 'c.png'}"
    for name in ("model.pt2", "model.int8.onnx"):
        assert main(["check", str(files / name), picture]) == 0
        assert "NOT EXACT" not in capsys.readouterr().out
    assert main(["check", str(files / "model.onnx"), picture, "--under", "D4"]) == 1  # it has turns only


# ---- planted faults ------------------------------------------------------------------------------------------------


def change_a_weight(model, by=1.01):
    """Multiply the largest weight of the first convolution."""
    name = next(n.input[1] for n in model.graph.node if n.op_type == "Conv")
    tensor = next(t for t in model.graph.initializer if t.name == name)
    array = onnx.numpy_helper.to_array(tensor).copy()
    array.reshape(-1)[np.abs(array).argmax()] *= by
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))


def test_a_planted_weight_is_refused_before_the_file_gets_its_name(place, tmp_path, monkeypatch, capsys):
    honest = build.write_onnx

    def spoilt(model, header, path):
        change_a_weight(model)
        honest(model, header, path)

    monkeypatch.setattr(build, "write_onnx", spoilt)
    monkeypatch.setattr("steerable.run.export.probe.SLACK", {"onnx": 1.0})  # the comparison alone has to see it
    assert main(["export", str(place / "run"), f"--out={tmp_path / 'new' / 'm.onnx'}"]) == 2
    err = capsys.readouterr().err
    assert "differs from the network by" in err and "expected at most 1e-05" in err and err.count("\n") == 1
    assert snapshot(tmp_path) == []


def test_a_planted_weight_in_a_finished_file_is_refused(files, tmp_path, capsys):
    model = onnx.load(files / "model.onnx")
    change_a_weight(model, 1.5)
    onnx.save(model, tmp_path / "m.onnx")
    assert main(["predict", str(tmp_path / "m.onnx"), "x.npy", f"--out={tmp_path / 'c.parquet'}"]) == 2
    assert "answers its own probe with a difference of" in capsys.readouterr().err
    assert snapshot(tmp_path) == ["m.onnx"]


def test_planted_operators_are_refused(files):
    model = onnx.load(files / "model.onnx")
    model.graph.node[3].domain = "com.example"
    with pytest.raises(ValueError, match=r"'com.example\.\w+'; expected standard operators"):
        onnx_operators(model)

    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.ops.prims.sin(x)

    with pytest.raises(ValueError, match="expected operators of ATen only"):
        program_operators(torch.export.export(Odd(), (torch.ones(2),)))


def test_a_layer_that_does_not_bake_is_named(place):
    class Stubborn(st.nn.EquivariantModule):
        def forward(self, x):
            return x

    t = st.C(4).type("1 trivial")
    eager = Folder.load(place / "run")
    eager.models = [torch.nn.Sequential(eager.models[0], Stubborn(t, t))]
    with pytest.raises(ValueError, match="Stubborn"):
        build.write("program", eager, None, build.Wish(), place / "never.pt2", 1.0)


@pytest.mark.parametrize("when", ["write", "check"])
def test_nothing_half_written(place, tmp_path, monkeypatch, when):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "require" if when == "check" else "compare", stop)
    args = ["export", str(place / "run"), "--format", "program", "onnx", f"--out={tmp_path / 'a' / 'b'}"]
    assert main(args) == 130
    assert snapshot(tmp_path) == []


# ---- the preparation in the graph ----------------------------------------------------------------------------------

STEPS = {
    "centre": ("centre", {"size": 14}),
    "centre, padded with the background": ("centre", {"size": 14, "border": 1}),
    "bin_pixels": ("bin_pixels", {"factor": 2}),
    "divide": ("divide", {"by": 3.0}),
    "asinh": ("asinh", {"by": 2.0}),
    "sqrt": ("sqrt", {}),
    "peak": ("peak", {}),
    "noise": ("noise", {}),
    "standard": ("standard", {}),
    "standardise": ("standardise", {"mean": 0.3, "std": 2.0}),
    "grey": ("grey", {}),
    "rgb": ("rgb", {}),
    "fields": ("fields", {"mean": [0.2], "by": [0.5]}),
}


def test_every_step_of_a_recipe_is_tried():
    from steerable.data.recipe import STEPS as ALL

    assert set(ALL) <= set(STEPS)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_in_the_graph_is_the_step_outside(step):
    import onnxruntime

    from steerable.data.recipe import STEPS as ALL
    from steerable.run.export.int8 import Front
    from steerable.run.export.write import to_onnx

    if STEPS[step][0] not in ALL:
        pytest.skip("not in this version")
    recipe = Recipe.of(STEPS[step])
    x = torch.from_numpy(bars(5, 1, 12)[0])[:, None]
    x[3] = 0.25  # an image without structure
    expected = recipe(x)
    model = to_onnx(Front(recipe).eval(), (x[:2],), ["image"], ["prepared"])
    onnx_operators(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": x.numpy()})[0]
    assert np.abs(found - expected.numpy()).max() <= 2e-6 * expected.abs().max()
    program = torch.export.export(Front(recipe), (x.double(),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    assert (program.module()(x[:2].double()) - recipe(x[:2].double())).abs().max() < 1e-14


# ---- bad input -----------------------------------------------------------------------------------------------------


def refuse(argv, capsys, folder, *words):
    before = snapshot(folder)
    capsys.readouterr()
    assert main([str(a) for a in argv]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "Traceback" not in err, err
    for word in words:
        assert word in err, (word, err)
    assert snapshot(folder) == before


def test_names_and_formats(place, tmp_path, capsys):
    run = place / "run"
    for args, *words in [
        (["--out", tmp_path / "m.txt"], "ends in '.txt'", "expected FILE.pt2"),
        (["--out", tmp_path / "m.onnx", "--format", "program"], "expected '.pt2'"),
        (["--out", tmp_path / "m.onnx", "--format", "onnx", "int8"], "expected a folder"),
        (["--out", tmp_path / "m.onnx", "--batch", "many"], "--batch many", "dynamic"),
        (["--out", tmp_path / "m.onnx", "--batch", "0"], "--batch 0"),
        (["--out", tmp_path / "m.onnx", "--seed", "7"], "--seed 7", "[0, 1]"),
        (["--out", tmp_path / "m.onnx", "--precision", "float64"], "expected --format program"),
        (["--out", tmp_path / "m.onnx", "--changed", "3"], "--changed 3", "0 to 1"),
        (["--out", tmp_path / "m.onnx", "--images", tmp_path / "none"], "none"),
        (["--out", tmp_path / "m.onnx", "--root", tmp_path / "none"], "none", "is not a folder"),
    ]:
        refuse(["export", run, *args], capsys, tmp_path, *words)
    refuse(["export", tmp_path, "--out", tmp_path / "m.onnx"], capsys, tmp_path, "holds no run")
    (tmp_path / "m.onnx").write_text("mine")
    refuse(["export", run, "--out", tmp_path / "m.onnx"], capsys, tmp_path, "exists already", "--overwrite")
    assert (tmp_path / "m.onnx").read_text() == "mine"


def test_files_that_are_not_ours(files, place, tmp_path, capsys):
    predict = ["predict", "FILE", place / "images" / "test.npz", "--out", tmp_path / "c.parquet"]

    def check(name, *words):
        refuse([a if a != "FILE" else tmp_path / name for a in predict], capsys, tmp_path, name, *words)

    check("none.onnx", "is no file")
    check("none.pt2", "is no file")
    check("none.h5", "ends in '.h5'")
    for name in ("broken.onnx", "broken.pt2"):
        (tmp_path / name).write_bytes(b"no network at all")
        check(name, "cannot be read", "steerable export RUN")
    for name in ("model.onnx", "model.pt2"):  # torn off in the middle
        data = (files / name).read_bytes()
        (tmp_path / f"torn_{name}").write_bytes(data[: len(data) // 2])
        check(f"torn_{name}", "cannot be read")
    model = onnx.load(files / "model.onnx")
    entry = next(p for p in model.metadata_props if p.key == ENTRY)
    header = json.loads(entry.value)
    for name, value, word in [
        ("no_json.onnx", "{", "is no JSON"),
        ("list.onnx", "[]", "is a list"),
        ("old.onnx", json.dumps({**header, "format": "steerable-export-0"}), "expected 'steerable-export-1'"),
        ("poor.onnx", json.dumps({k: v for k, v in header.items() if k != "seeds"}), "lacks ['seeds']"),
        ("kind.onnx", json.dumps({**header, "kind": "program"}), "says that it is 'program'"),
    ]:
        entry.value = value
        onnx.save(model, tmp_path / name)
        check(name, word)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    check("foreign.onnx", "not one that `steerable export` wrote")
    torch.export.save(torch.export.export(torch.nn.ReLU(), (torch.ones(2),)), tmp_path / "foreign.pt2")
    check("foreign.pt2", "not one that `steerable export` wrote")
    with zipfile.ZipFile(tmp_path / "zip.pt2", "w") as archive:
        archive.writestr("a.txt", "b")
    check("zip.pt2", "not one that")


class Bomb:
    """Runs code when it is unpickled."""

    went_off = []

    def __reduce__(self):
        return (Bomb.went_off.append, (1,))


@pytest.mark.parametrize("where", ["sample_inputs", "weights", "constants", "member"])
def test_a_program_that_runs_code_is_refused_before_it_is_opened(files, place, tmp_path, capsys, where):
    import io
    import pickle

    buffer = io.BytesIO()
    torch.save(Bomb(), buffer)
    bomb = pickle.dumps(Bomb()) if where == "constants" else buffer.getvalue()
    with zipfile.ZipFile(files / "model.pt2") as old, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if where == "sample_inputs" and name.endswith("sample_inputs/model.pt"):
                data = bomb
            if where == "weights" and name.endswith("model_weights_config.json"):
                data = data.replace(b'"use_pickle": false', b'"use_pickle": true', 1)
            if where == "constants" and name.endswith("model_constants_config.json"):
                table = json.loads(data)
                table["config"]["x"] = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False}
                data = json.dumps(table).encode()
            new.writestr(name, data)
        if where in ("constants", "member"):
            root = name.partition("/")[0]
            new.writestr(f"{root}/data/constants/opaque_obj_0", bomb)
    args = ["predict", tmp_path / "bad.pt2", place / "images" / "test.npz", "--out", tmp_path / "c.parquet"]
    refuse(args, capsys, tmp_path, "may run code")
    assert Bomb.went_off == []


def test_a_program_of_other_functions_is_refused_before_it_runs(files, place, tmp_path, capsys):
    with zipfile.ZipFile(files / "model.pt2") as old, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"torch.ops.aten.asinh.default", b"torch.ops.prims.asinh.default"))
    args = ["predict", tmp_path / "bad.pt2", place / "images" / "test.npz", "--out", tmp_path / "c.parquet"]
    refuse(args, capsys, tmp_path, "expected operators of ATen only")


def test_missing_packages_are_named(files, place, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    refuse(
        ["predict", files / "model.onnx", place / "images" / "test.npz", "--out", tmp_path / "c.parquet"],
        capsys, tmp_path, "'onnxruntime' is not installed", "pip install 'steerable[export]'",
    )  # fmt: skip
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    refuse(["export", place / "run", "--out", tmp_path / "m.onnx"], capsys, tmp_path, "'onnxscript' is not installed")


@pytest.fixture
def orphan(place, tmp_path):
    """A run whose images are gone."""
    folder = tmp_path / "orphan"
    shutil.copytree(place / "run" / "seed0", folder)
    record = read_json(folder / "run.json", "a run")
    record["config"]["data"]["root"] = str(tmp_path / "gone")
    write_json(folder / "run.json", record)
    return folder


def test_without_the_images_of_the_run(orphan, place, tmp_path, capsys):
    out = tmp_path / "a.onnx"
    assert main(["export", str(orphan), f"--out={out}"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("warning: ") and "NOISE" in captured.err and "--images" in captured.err
    assert "64 images of NOISE" in captured.out
    out.unlink()
    refuse(["export", orphan, "--format", "int8", "--out", out], capsys, tmp_path, "calibrate", "--images PATHS")
    for more in (["--images", place / "images" / "train.npz"], ["--root", place / "images"]):
        args = ["export", orphan, "--format", "int8", "--out", out, "--overwrite", *more]
        assert main([str(a) for a in args]) == 0
        text = capsys.readouterr().out
        assert "accuracy: network" in text and "images of" in text


def test_images_to_calibrate_on_that_tell_nothing(orphan, tmp_path, capsys):
    np.save(tmp_path / "flat.npy", np.zeros((8, 9, 9), np.float32))
    np.save(tmp_path / "small.npy", np.zeros((8, 5, 5), np.float32))
    args = ["export", orphan, "--format", "int8", "--out", tmp_path / "a.onnx", "--images"]
    refuse([*args, tmp_path / "flat.npy"], capsys, tmp_path, "--format int8")
    refuse([*args, tmp_path / "small.npy"], capsys, tmp_path, "5 x 5")


def test_bounds():
    from steerable.run.export.compare import Comparison

    good = Comparison(1e-7, 1e-8, 1.0, None, None, 10)
    require(good, "onnx", BOUNDS["float32"], "a", True)
    for bad in (good.__class__(2e-5, 1e-8, 1.0, None, None, 10), good.__class__(float("nan"), 0, 1.0, None, None, 10)):
        with pytest.raises(ValueError, match="differs from the network"):
            require(bad, "onnx", BOUNDS["float32"], "a", True)
    with pytest.raises(ValueError, match=r"change 20.0% of 10 answers; expected at most 10%"):
        require(good.__class__(0.1, 0.1, 0.8, None, None, 10), "int8", 0.1, "a", True)
    with pytest.raises(ValueError, match="--weight-bits 7"):
        require(good.__class__(0.1, 0.1, 1.0, None, None, 10, 0.9), "int8", 0.1, "a", True)


def test_the_interface_is_one(files, place):
    for source in (place / "run", files / "model.pt2", files / "model.onnx", files / "model.int8.onnx"):
        found = open_answerer(source)
        assert isinstance(found, (Folder, Program, OnnxFile))
        assert found.each(found.recipe(torch.zeros(3, 1, 9, 9))).shape == (2, 3, 3)
