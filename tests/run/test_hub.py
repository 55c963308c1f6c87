"""The hub, without a network: folders, a cache made by hand, and an interface that records what it is asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import steerable as st
from steerable.data import Recipe, Target
from steerable.run import hub
from steerable.run.answer import Folder, open_answerer
from steerable.run.cli import main
from steerable.run.store import load

from .conftest import bars

pytest.importorskip("huggingface_hub")
parquet = pytest.importorskip("pyarrow.parquet")

FILES = ["README.md", "config.json", "floors.json", "model.safetensors", "run.json"]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test reaches the network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two seeds, scored on its test part."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "images").mkdir()
    for seed, (part, n) in enumerate({"train": 48, "val": 24, "test": 30}.items()):
        x, y = bars(n, seed)
        np.savez(folder / "images" / f"{part}.npz", x=x, y=y, classes=np.array(["flat", "upright", "blob"]), mass=y / 3)
    args = ["--data.name=folder", f"--data.root={folder / 'images'}", "--train.device=cpu", "--train.epochs=2"]
    args += ["--model.name=steerable_cnn", "--model.group=C4", "--model.options.fields=[2,2]"]
    args += ["--model.options.kernels=[3,3]", "--model.options.pool_after=[1]", "--data.scale=peak"]
    assert main(["fit", *args, f"--out={folder / 'run'}", "--seeds", "3", "5"]) == 0
    assert main(["fit", *args, f"--out={folder / 'values'}", "--data.target=mass"]) == 0
    assert main(["evaluate", str(folder / "run")]) == 0
    return folder / "run"


def test_the_library_does_not_load_it():
    code = "import sys, steerable, steerable.run.hub; print('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_saved_and_loaded_it_says_the_same(run, tmp_path):
    out = hub.save_pretrained(run, tmp_path / "net", seed=5, license="cc-by-4.0")
    assert sorted(p.name for p in out.iterdir()) == sorted([*FILES, "evaluation.json"])
    model, (eager, record) = st.from_pretrained(out), load(run / "seed5")
    x = torch.from_numpy(bars(4, 8)[0])[:, None]
    prepared = model.recipe(x)
    assert torch.equal(model(prepared), eager(prepared))
    assert torch.equal(model.answer(x), eager(prepared).softmax(-1))
    assert model.meaning == ("flat", "upright", "blob")
    assert not model.training
    again = tmp_path / "again"
    model.save_pretrained(again)  # the mixin's own way
    assert torch.equal(hub.Pretrained.from_pretrained(again)(prepared), eager(prepared))
    assert model.record["fingerprint"] == record["fingerprint"]


def test_values_are_in_their_unit(run, tmp_path):
    out = hub.save_pretrained(run.with_name("values"), tmp_path / "net")
    model, (eager, _) = st.from_pretrained(out), load(run.with_name("values"))
    x = torch.from_numpy(bars(4, 8)[0])[:, None]
    assert torch.equal(model.answer(x), eager(model.recipe(x)))
    assert model.meaning == Target("mass")
    assert "regression of mass" in (out / "README.md").read_text()


def test_no_pickle_and_no_path_of_this_machine(run, tmp_path):
    from safetensors.torch import load_file

    out = hub.save_pretrained(run, tmp_path / "net", seed=3)
    assert load_file(out / "model.safetensors")
    for name in ("README.md", "config.json", "run.json"):
        assert str(run.parent) not in (out / name).read_text()
    assert not list(out.glob("*.bin")) and not list(out.glob("*.pt"))


def test_the_card(run, tmp_path):
    text = (hub.save_pretrained(run, tmp_path / "net", seed=3, license="cc-by-4.0") / "README.md").read_text()
    scores = json.loads((run / "seed3" / "evaluation.json").read_text())
    for words in (
        "license: cc-by-4.0", "library_name: steerable", "classification into 3 classes: flat, upright, blob",
        "1 channel of 9 x 9", "C4: relative error", "validation: accuracy", f"{scores['accuracy']:.3f}",
        "floor: linear", "steerable predict net",
    ):  # fmt: skip
        assert words in text, words
    assert "not stated" in (hub.save_pretrained(run, tmp_path / "b", seed=3) / "README.md").read_text()
    plain = hub.create_pretrained("lens_cnn_plain", ("a", "b"), (64, 64), options={"widths": [2, 2, 2, 2]})
    card = str(plain.generate_model_card())
    assert "none by construction" in card and "No figures" in card


def test_predict_takes_the_folder(run, tmp_path):
    out = hub.save_pretrained(run, tmp_path / "net", seed=3)
    x = str(run.parent / "images" / "test.npz")
    for source, name in ((run / "seed3", "a"), (out, "b")):
        assert main(["predict", str(source), x, f"--out={tmp_path / name}.parquet"]) == 0
    a, b = (parquet.read_table(tmp_path / f"{n}.parquet").to_pylist() for n in "ab")
    assert a == b


def test_a_network_of_ones_own_training(tmp_path):
    model = hub.create_pretrained(
        "steerable_cnn", ("a", "b"), (9, 9), group="D4", preparation=Recipe.of(("peak", {})),
        options={"fields": [2, 2], "kernels": [3, 3], "pool_after": [1]},
    )  # fmt: skip
    assert model.training
    before = next(model.network.parameters()).clone()
    step = torch.optim.SGD(model.parameters(), 0.1)
    torch.nn.functional.cross_entropy(model(torch.rand(6, 1, 9, 9)), torch.tensor([0, 1] * 3)).backward()
    step.step()
    assert not torch.equal(before, next(model.network.parameters()))
    loaded = st.from_pretrained(hub.save_pretrained(model, tmp_path / "net"))
    x = torch.rand(2, 1, 9, 9)
    assert torch.equal(loaded(x), model.eval()(x))
    assert loaded.recipe == Recipe.of(("peak", {}))
    with pytest.raises(ValueError, match="expected names of classes"):
        hub.create_pretrained("steerable_cnn", (), (9, 9))
    with pytest.raises(ValueError, match="Did you mean 'steerable_cnn'"):
        hub.create_pretrained("steerable_cn", ("a",), (9, 9))


# ---- publishing ----------------------------------------------------------------------------------------------------


class FakeApi:
    """Records what it is asked, and keeps what is uploaded."""

    calls: list = []

    def __init__(self, token=None, **_):
        self.calls.append(("token", token))

    def create_repo(self, repo_id, private=None, exist_ok=False):
        self.calls.append(("create_repo", repo_id, private, exist_ok))
        return SimpleNamespace(repo_id=repo_id)

    def upload_folder(self, folder_path, **more):
        files = {p.name: p.read_bytes() for p in Path(folder_path).iterdir()}
        self.calls.append(("upload_folder", more, files))
        return f"https://hub/{more['repo_id']}/commit/1"


def test_publishing(run, monkeypatch):
    monkeypatch.setattr(FakeApi, "calls", [])
    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", FakeApi)
    address = hub.push_to_hub(run, "somebody/bars", seed=3, license="mit", private=True, token="t", branch="dev")
    assert address == "https://hub/somebody/bars/commit/1"
    token, create, upload = FakeApi.calls
    assert token == ("token", "t")
    assert create == ("create_repo", "somebody/bars", True, True)
    assert upload[1]["repo_type"] == "model" and upload[1]["revision"] == "dev"
    assert set(FILES) <= set(upload[2])
    assert 'from_pretrained("somebody/bars")' in upload[2]["README.md"].decode()
    assert "license: mit" in upload[2]["README.md"].decode()


def test_publishing_without_a_network_is_one_line(run):
    with pytest.raises(ValueError, match="'somebody/bars' cannot be published: HF_HUB_OFFLINE is set") as e:
        hub.push_to_hub(run, "somebody/bars", seed=3)
    assert "\n" not in str(e.value)


# ---- loading by name -----------------------------------------------------------------------------------------------


@pytest.fixture
def cache(run, tmp_path):
    """What huggingface_hub leaves of a download, made by hand."""
    place = tmp_path / "cache" / "models--somebody--bars"
    commit = "0" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    (place / "snapshots").mkdir()
    shutil.copytree(hub.save_pretrained(run, tmp_path / "net", seed=3), place / "snapshots" / commit)
    return tmp_path / "cache"


def test_loading_by_name_from_what_was_downloaded(run, cache, tmp_path, monkeypatch):
    model = st.from_pretrained("somebody/bars", cache_dir=cache)
    x = torch.rand(2, 1, 9, 9)
    assert torch.equal(model(x), load(run / "seed3")[0](x))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    found = open_answerer("hf://somebody/bars")
    assert isinstance(found, Folder) and found.seeds == [3]
    args = [str(run.parent / "images" / "test.npz"), f"--out={tmp_path / 'c.parquet'}"]
    assert main(["predict", "hf://somebody/bars", *args]) == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("somebody/nothing", "HF_HUB_OFFLINE is set"),
        ("no such folder", "expected FOLDER or USER/NAME"),
        ("a/b/c", "expected FOLDER or USER/NAME"),
    ],
)
def test_a_name_that_is_not_there(name, words, cache, capsys, tmp_path):
    with pytest.raises(ValueError, match=words) as e:
        st.from_pretrained(name, cache_dir=cache)
    assert "\n" not in str(e.value) and name in str(e.value)
    assert main(["predict", f"hf://{name}", "x.npy", f"--out={tmp_path / 'c.parquet'}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_answers_of_the_hub_in_one_line(monkeypatch):
    """Every error of the connection, as huggingface_hub raises it."""
    import huggingface_hub.errors as errors

    class Response:
        status_code, headers, request = 404, {}, None

    for kind, words in [
        ("RepositoryNotFoundError", "no such model"), ("RevisionNotFoundError", "no such revision"),
        ("GatedRepoError", "grants access"), ("EntryNotFoundError", "did not write it"),
        ("LocalEntryNotFoundError", "downloaded before"), ("HfHubHTTPError", "Check the connection"),
    ]:  # fmt: skip
        make = getattr(errors, kind)

        def fail(*_, make=make, **__):
            error = make.__new__(make)
            error.args = ("first line\nsecond line",)
            raise error

        monkeypatch.setattr("steerable.run.hub.pretrained.hf_hub_download", fail)
        monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", lambda *_, **__: os.devnull)
        from steerable.run.hub.pretrained import fetch

        with pytest.raises(ValueError, match=words) as e:
            fetch("somebody/bars")
        assert "\n" not in str(e.value)


def test_bad_folders(run, tmp_path):
    with pytest.raises(ValueError, match=r"has the seeds \[3, 5\], seed=None was given"):
        hub.save_pretrained(run, tmp_path / "a")
    with pytest.raises(ValueError, match="seed=4"):
        hub.save_pretrained(run, tmp_path / "a", seed=4)
    assert not list(tmp_path.iterdir())
    out = hub.save_pretrained(run, tmp_path / "a", seed=3)
    with pytest.raises(ValueError, match="exists already"):
        hub.save_pretrained(run, out, seed=3)
    record = json.loads((out / "run.json").read_text())
    spoilt = {**record, "fingerprint": {k: v + 1 for k, v in record["fingerprint"].items()}}
    (out / "run.json").write_text(json.dumps(spoilt))
    with pytest.raises(ValueError, match="has fingerprint"):
        st.from_pretrained(out)
    (out / "run.json").write_text(json.dumps(record))
    (out / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="expected a safetensors file"):
        st.from_pretrained(out)
    with pytest.raises(ValueError, match=r"run\.json"):
        st.from_pretrained(tmp_path)


def test_without_the_package_it_is_named(monkeypatch, run, capsys):
    for name in [m for m in sys.modules if m.startswith("steerable.run.hub")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main(["predict", "hf://a/b", "x.npy", "--out=c.parquet"]) == 2
    assert "pip install 'steerable[hub]'" in capsys.readouterr().err
