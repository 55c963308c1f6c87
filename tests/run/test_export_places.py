"""export of networks that answer at every place: on the sphere and of volumes; the file is what the run is."""

from __future__ import annotations

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from tests.run.spheres import made

import steerable as st
import steerable.nn as snn
from steerable.data import Recipe
from steerable.run.answer import Folder, OnnxFile, Program
from steerable.run.cli import main
from steerable.run.export import build
from steerable.run.export.fourier import Matrices
from steerable.run.export.graph import Graph
from steerable.run.export.header import ENTRY
from steerable.run.export.write import to_onnx, trace
from steerable.run.readers import READERS

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
parquet = pytest.importorskip("pyarrow.parquet")

SMALL = {"widths": [2], "kernel_size": 3}
RUNS = {
    "wind": ["--data.name=made", "--data.options.kind=wind", "--model.name=sphere_unet"],
    "regions": [
        "--data.name=made", "--data.options.kind=regions", "--data.options.sampling=healpix(4)",
        "--model.name=sphere_unet",
    ],
    "volumes": [
        "--data.name=volumes_synthetic", "--data.options.task=segment", "--data.options.size=9",
        "--data.options.train=8", "--data.options.validation=4", "--data.options.test=4", "--model.name=volume_unet",
        "--model.group=O",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of each kind; that of the wind has two seeds."""
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(READERS, "made", made)
        for name, words in RUNS.items():
            widths = [1, 1] if name == "volumes" else [2]
            net = json.dumps({**SMALL, "widths": widths})
            more = ["--train.epochs=1", "--train.batch_size=4", "--train.device=cpu", f"--out={folder / name}"]
            seeds = ["--seeds", "0", "1"] if name == "wind" else []
            assert main(["fit", *words, f"--model.options={net}", *more, *seeds]) == 0
        yield folder


def answers(run, files, out):
    """The answers at every place of `steerable predict`, and the catalogue."""
    assert main(["predict", str(run), str(files), f"--out={out}.parquet", f"--answers={out}", "--device=cpu"]) == 0
    names = sorted(p.name for p in out.iterdir())
    assert names
    return {n: np.load(out / n) for n in names}, parquet.read_table(f"{out}.parquet").to_pylist()


def inputs(place, kind, folder):
    """Three files of what a run takes."""
    record = Folder.load(place / kind).record
    shape = (3, record["in_channels"], *record["raw_size"])
    folder.mkdir()
    for k, x in enumerate(torch.randn(shape, generator=torch.Generator().manual_seed(3)).numpy()):
        np.save(folder / f"{k}.npy", x)
    return folder


@pytest.mark.parametrize("kind", list(RUNS))
def test_the_files_answer_as_the_run_does(place, tmp_path, capsys, kind):
    files = tmp_path / "files"
    assert main(["export", str(place / kind), "--format", "program", "onnx", f"--out={files}"]) == 0
    said = capsys.readouterr().out
    assert "largest difference from the network" in said
    noun = "volumes" if kind == "volumes" else "maps"
    assert f"4 validation {noun} of" in said and f"answer to {noun} with" in said
    if kind != "wind":
        assert f"the same class for 100.00% of the places of 4 {noun}" in said
        assert "share right: network" in said
    new = inputs(place, kind, tmp_path / "new")
    own, rows = answers(place / kind, new, tmp_path / "run")
    for name in ("model.pt2", "model.onnx"):
        found, other = answers(files / name, new, tmp_path / name)
        assert found.keys() == own.keys()
        for key in own:
            assert found[key].dtype == own[key].dtype
            scale = np.abs(own[key].astype(float)).max()
            assert np.abs(found[key].astype(float) - own[key]).max() <= 2e-5 * scale
        for a, b in zip(rows, other, strict=True):
            assert a.keys() == b.keys()
            assert [b[k] for k in a if isinstance(a[k], float)] == pytest.approx(
                [v for v in a.values() if isinstance(v, float)], rel=1e-4, abs=1e-6
            )
    assert main(["evaluate", str(files / "model.pt2")]) == 0
    scores = json.loads((files / "model.pt2.evaluation.json").read_text())
    assert main(["evaluate", str(place / kind)]) == 0
    runs = [place / kind] if kind != "wind" else [place / kind / "seed0", place / kind / "seed1"]
    if kind != "wind":  # of two seeds a file has the mean
        run = json.loads((runs[0] / "evaluation.json").read_text())
        assert scores["iou"] == pytest.approx(run["iou"], abs=1e-6)
        assert scores["floors"]["linear"] == pytest.approx(run["floors"]["linear"])
    else:
        assert scores["rmse"] > 0


def test_a_probe_of_many_answers_is_short(place, tmp_path):
    assert main(["export", str(place / "volumes"), f"--out={tmp_path / 'm.onnx'}"]) == 0
    header = OnnxFile.load(tmp_path / "m.onnx").header
    assert np.shape(header["probe"]) == (1, 2, 256)
    model = onnx.load(str(tmp_path / "m.onnx"))
    entry = next(e for e in model.metadata_props if e.key == ENTRY)
    header["probe"][0][0][7] += 1.0
    entry.value = json.dumps(header)
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(Exception, match="answers its own probe"):
        OnnxFile.load(tmp_path / "m.onnx")


def test_one_batch_and_one_seed(place, tmp_path):
    out = tmp_path / "one.pt2"
    assert main(["export", str(place / "wind"), "--seed=1", "--batch=1", f"--out={out}"]) == 0
    x = made().test.x[:3]
    eager = Folder.load(place / "wind", seed=1)
    assert torch.allclose(Program.load(out).each(x), eager.each(x), atol=1e-5)


def test_a_network_that_was_changed_on_the_way_is_refused(place, tmp_path, monkeypatch, capsys):
    """The planted fault: another weight in the graph than in the run."""
    real = build.Graph

    def planted(networks, *args):
        graph = real(networks, *args)
        with torch.no_grad():
            next(graph.parameters()).mul_(1.001)
        return graph

    monkeypatch.setattr(build, "Graph", planted)
    assert main(["export", str(place / "wind"), f"--out={tmp_path / 'm.pt2'}"]) == 2
    assert "differs from the network by" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_integers_are_refused_in_one_line(place, tmp_path, capsys):
    assert main(["export", str(place / "wind"), "--format=int8", f"--out={tmp_path / 'm.onnx'}"]) == 2
    text = capsys.readouterr().err
    assert "is a run on maps with answers at every place" in text and text.count("\n") == 1


@pytest.mark.parametrize("size", [5, 6, 24])
@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
def test_matrices_are_the_transforms(size, norm):
    x = torch.randn(2, 3, size, dtype=torch.float64)
    there = torch.fft.rfft(x, norm=norm)
    with Matrices():
        assert torch.allclose(torch.fft.rfft(x, norm=norm), there, atol=1e-12)
        assert torch.allclose(torch.fft.irfft(there, n=size, norm=norm), torch.fft.irfft(there, size, -1, norm))
        few = torch.fft.irfft(there[..., :2], n=size, norm=norm)  # orders that are not there are zero
        # what it does not know it leaves alone
        assert torch.fft.rfft(x, n=size + 2).shape[-1] == (size + 2) // 2 + 1
        assert torch.fft.rfft(x, dim=1).shape[1] == 2
        whole = (9 * x).long()
        assert torch.allclose(torch.fft.rfft(input=whole), torch.fft.rfft(whole.float()))
    assert torch.allclose(few, torch.fft.irfft(there[..., :2], n=size, norm=norm), atol=1e-12)
    assert torch.allclose(torch.fft.irfft(there, n=size, norm=norm), x, atol=1e-12)


@pytest.mark.parametrize("on", ["group", pytest.param("sphere", marks=pytest.mark.slow)])
def test_networks_of_harmonics_are_written(on):
    """Analysis, a correlation, an activation on SO(3) or on the sphere, and back to a grid finer than the band."""
    import onnxruntime

    torch.manual_seed(0)
    if on == "group":
        net = st.create_model("s2cnn_dense", sphere="gauss(6)", channels=(2,), bands=(3, 2))
    else:
        net = st.create_model("needlet_net", sphere="gauss(6)", width=2, band=3)
    x = torch.randn(2, 1, 6, 12)
    with Matrices():
        program = trace(Graph([net.eval()], Recipe(), True), x, 2)
    model = to_onnx(program, (), ["image"], ["value", "values"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(["value"], {"image": x.numpy()})[0])
    assert torch.allclose(found, net(x).detach(), atol=1e-5)


def test_without_matrices_the_runtime_loses_digits():
    """Why they are there: 24 longitudes are no power of two."""
    import onnxruntime

    torch.manual_seed(0)
    so2 = st.SO2()
    layer = snn.SphereConv(so2.type("1x0"), so2.type("1x0 + 1x1"), st.Sphere.gauss(12), 0.8, kernel_size=5).eval()
    x = torch.randn(2, 1, 12, 24)
    worst = []
    for mode in (Matrices(), nullcontext()):
        graph = Graph([layer], Recipe(), True)
        with mode:
            program = trace(graph, x, 2)
        model = to_onnx(program, (), ["image"], ["value", "values"])
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        with torch.no_grad():
            own = layer(x)
        worst.append(float((torch.from_numpy(session.run(["value"], {"image": x.numpy()})[0]) - own).abs().max()))
    scale = float(own.abs().max())
    assert worst[0] < 2e-6 * scale
    assert worst[1] > 2 * worst[0]
