"""`steerable simulate lensing`: continues, is harmless when done, refuses in one line."""

from __future__ import annotations

import pytest

from steerable.run.cli import main
from steerable.tasks.lensing import dataset, load

pytest.importorskip("pyarrow")
SMALL = ["--settings.pixels=16", "--settings.pixel_scale=0.2", "--train=5", "--validation=1", "--test=1"]


@pytest.fixture
def simulate(tmp_path, monkeypatch):
    """Run the command with shards of 16 images a class."""
    monkeypatch.setattr(dataset, "_SHARD", 1)
    monkeypatch.setattr(dataset, "_SCENES", 16)

    def run(*options, out="set"):
        return main(["simulate", "lensing", f"--out={tmp_path / out}", *SMALL, *options])

    return run


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def interrupt_at(monkeypatch, split):
    real = dataset.rows

    def rows(settings, name, indices, seed, part):
        if part == split:
            raise KeyboardInterrupt
        return real(settings, name, indices, seed, part)

    monkeypatch.setattr(dataset, "rows", rows)


def test_interrupted_then_continued(simulate, tmp_path, capsys):
    assert simulate("--train=40", out="straight") == 0
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, "validation")
        assert simulate("--train=40") == 130
    err = capsys.readouterr().err
    assert "3 of 5 shards are in" in err and "the same command continues" in err
    assert simulate("--train=41") == 2
    err = capsys.readouterr().err
    assert "unfinished run of another plan: its parts.train.rows is 120; expected 123" in err
    assert simulate("--train=40") == 0
    out, err = capsys.readouterr()
    assert "continuing: 3 of 5 shards are there" in out
    assert "135/135" not in out  # the bar is on standard error
    assert tree(tmp_path / "set") == tree(tmp_path / "straight")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set", "straight"]


def test_again_is_harmless(simulate, tmp_path, capsys):
    assert simulate() == 0
    before = tree(tmp_path)
    assert simulate("--workers=2") == 0  # not part of the plan
    assert "is there already, whole and the same (3 shards): nothing to do" in capsys.readouterr().out
    assert simulate("--seed=1") == 2
    err = capsys.readouterr().err
    assert "exists already and is another data set: its seed is 0; expected 1" in err and err.count("\n") == 1
    assert tree(tmp_path) == before


def test_classes(simulate, tmp_path, capsys):
    assert simulate("--classes", "vortex", "none") == 0
    assert load(tmp_path / "set" / "train").classes == ("vortex", "none")
    assert simulate("--classes", "vortex", "fog", out="other") == 2
    assert "no class 'fog'; expected some of none, cdm, wdm, sidm, vortex" in capsys.readouterr().err
    assert simulate("--workers=0", out="other") == 2
    assert "workers is 0; expected at least 1" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_interrupted_before_the_first_shard_leaves_nothing(simulate, tmp_path, monkeypatch):
    real, count = dataset.rows, [0]

    def rows(*args):
        count[0] += 1
        if count[0] > 2:  # the first is the probe for the columns
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(dataset, "rows", rows)
    assert simulate(out="deep/set") == 130
    assert list(tmp_path.iterdir()) == []


def test_published_models_print_their_shortcut(tmp_path, capsys):
    out = tmp_path / "published"
    sizes = ["--train=40", "--validation=20", "--test=40", "--settings.pixels=32", "--settings.pixel_scale=0.16"]
    arguments = ["simulate", "lensing", "--published=III", f"--out={out}", *sizes, "--settings.blind_fit=false"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "vortex / cdm / none: linear model on global statistics" in text and "SHORTCUT" in text
    from steerable.tasks.lensing import load

    found = load(out / "test").settings
    assert (found.mode, found.model, found.pixels, found.psf_fwhm) == ("as_published", "III", 32, 0.08)
    assert main(["simulate", "lensing", "--published=IV", f"--out={tmp_path / 'x'}"]) == 2
    assert "IV" in capsys.readouterr().err
