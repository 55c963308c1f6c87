from __future__ import annotations

import json

import pytest
import torch

from steerable.tasks.lensing import CLASSES, LensSettings, load, save, simulate, simulate_files
from steerable.tasks.lensing.dataset import LensData

pytest.importorskip("safetensors")
SMALL = LensSettings(pixels=16, pixel_scale=0.2)


@pytest.fixture(scope="module")
def data() -> LensData:
    return simulate(3, seed=1, settings=SMALL)


def test_same_seed_same_bits_and_prefixes_agree(data: LensData) -> None:
    again = simulate(3, seed=1, settings=SMALL)
    for name, tensor in data.tensors().items():
        assert torch.equal(tensor, again.tensors()[name]), name
    larger = simulate(20, seed=1, settings=SMALL)
    for label in range(len(CLASSES)):
        few, many = data.image[data.label == label], larger.image[larger.label == label]
        assert torch.allclose(few, many[:3], atol=1e-5 * float(many.max()))


def test_splits_and_seeds_are_apart(data: LensData) -> None:
    for other in (simulate(3, seed=1, split="test", settings=SMALL), simulate(3, seed=2, settings=SMALL)):
        distance = (data.macro[:, None, 0] - other.macro[None, :, 0]).abs()
        assert float(distance.min()) > 1e-9


def test_round_trip(data: LensData, tmp_path) -> None:
    manifest = save(data, tmp_path / "deep" / "train")
    assert sorted(p.name for p in manifest.parent.iterdir()) == ["train.json", "train.safetensors"]
    for path in (manifest, manifest.with_suffix(""), manifest.with_suffix(".safetensors")):
        back = load(path)
        assert back.settings == SMALL and back.seed == 1 and back.split == "train"
        assert all(torch.equal(t, back.tensors()[name]) for name, t in data.tensors().items())
    assert data.inputs().shape == (9, 1, 16, 16)
    assert "linearised at the true macro model" in json.loads(manifest.read_text())["note"]


def test_simulate_files_writes_every_split(tmp_path) -> None:
    seen: list[tuple[str, int, int]] = []
    manifests = simulate_files(
        tmp_path, {"train": 2, "test": 1}, settings=SMALL, progress=lambda *args: seen.append(args)
    )
    assert [load(path).split for path in manifests] == ["train", "test"]
    assert seen[-1] == ("test", 3, 3)
    with pytest.raises(ValueError, match=r"got splits \['val'\]"):
        simulate_files(tmp_path, {"val": 2})


def _one_line(error: pytest.ExceptionInfo) -> None:
    assert "\n" not in str(error.value)


def test_changed_files_are_refused(data: LensData, tmp_path) -> None:
    manifest = save(data, tmp_path / "train")
    tensors = manifest.with_suffix(".safetensors")
    whole = tensors.read_bytes()
    tensors.write_bytes(whole[:-7])
    with pytest.raises(ValueError, match="changed or cut") as error:
        load(manifest)
    _one_line(error)
    tensors.unlink()
    with pytest.raises(FileNotFoundError, match=r"expected the tensors that train\.json describes") as error:
        load(manifest)
    _one_line(error)
    with pytest.raises(FileNotFoundError, match="expected a manifest") as error:
        load(tmp_path / "nothing")
    _one_line(error)
    manifest.write_text("{")
    with pytest.raises(ValueError, match="is not JSON") as error:
        load(manifest)
    _one_line(error)
    manifest.write_text('{"format": "other"}')
    with pytest.raises(ValueError, match="has format 'other'"):
        load(manifest)
    manifest.write_text('{"format": "steerable-lensing-1", "file": "x"}')
    with pytest.raises(ValueError, match="lacks the key 'sha256'"):
        load(manifest)


def test_infinite_values_are_refused(data: LensData, tmp_path) -> None:
    data.residual[0, 0, 0], keep = float("nan"), float(data.residual[0, 0, 0])
    manifest = save(data, tmp_path / "train")
    data.residual[0, 0, 0] = keep
    with pytest.raises(ValueError, match="residual holds NaN or infinite values") as error:
        load(manifest)
    _one_line(error)


def test_a_failed_write_leaves_nothing(data: LensData, tmp_path, monkeypatch) -> None:
    import safetensors.torch

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(safetensors.torch, "save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save(data, tmp_path / "train")
    assert list(tmp_path.iterdir()) == []
