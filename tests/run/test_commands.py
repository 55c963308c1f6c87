"""The commands around fit: help, versions, models, simulate, demo, check."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from steerable.run.cli import COMMANDS, main
from steerable.run.config import DataConfig
from steerable.run.readers import load_data


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(c in text for c in COMMANDS)
    assert main([]) == 2
    assert main(["--version"]) == 0


@pytest.mark.parametrize("command", [[c] for c in COMMANDS if c != "simulate"] + [["simulate", "lensing"]])
def test_each_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as e:
        main([*command, "--help"])
    assert e.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_help_is_quick_because_nothing_heavy_is_loaded():
    code = "import sys; from steerable.run.cli import main; main(['--help']); print('lightning' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "False"


def test_models(networks, capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["tiny_plain", "tiny_invariant"]
    assert "learns the images" in lines[0]
    assert main(["models", "tiny_invariant", "--group", "C4", "--classes", "3"]) == 0
    assert "parameters" in capsys.readouterr().out


def test_simulate_then_fit_reads_it(networks, tmp_path, capsys):
    out = tmp_path / "lenses"
    counts = ["--train=2", "--validation=1", "--test=1", "--settings.pixels=24", "--settings.pixel_scale=0.13"]
    assert main(["simulate", "lensing", f"--out={out}", *counts]) == 0
    assert "true" in capsys.readouterr().out  # the banner: linearised at the true macro model
    data = load_data(DataConfig("lensing", str(out)))
    assert data.train.x.shape == (6, 1, 24, 24)
    assert data.classes == ("none", "cdm", "vortex")
    assert [p.counts() for p in (data.train, data.val, data.test)] == [[2] * 3, [1] * 3, [1] * 3]


def test_a_missing_package_is_one_line(monkeypatch, networks, arguments, capsys):
    for name in [m for m in sys.modules if m.startswith("steerable.run.") and m != "steerable.run.cli"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jsonargparse", None)
    assert main(["fit", *arguments]) == 2
    err = capsys.readouterr().err
    assert "pip install 'steerable[train]'" in err
    assert err.count("\n") == 1


def test_check_tells_invariant_from_plain(networks, tmp_path, capsys):
    out = tmp_path / "c.png"
    common = ["--size", "17", f"--out={out}"]
    assert main(["check", "tiny_invariant", "--group", "C4", "--under", "C4", *common]) == 0
    assert "NOT EXACT" not in capsys.readouterr().out
    assert out.read_bytes().startswith(b"\x89PNG")
    assert main(["check", "tiny_plain", "--under", "C4", *common]) == 1
    assert "NOT EXACT" in capsys.readouterr().out


def test_the_demo_writes_its_page_and_replaces_it(tmp_path, capsys):
    out = tmp_path / "report"
    for _ in range(2):
        for left in ("report.new", "report.new.partial"):  # of a demo that was killed
            (tmp_path / left / "data").mkdir(parents=True)
        assert main(["demo", "--quick", f"--out={out}"]) == 0
        assert (out / "report.html").stat().st_size > 10_000
        assert [p.name for p in tmp_path.iterdir()] == ["report"]
    text = capsys.readouterr().out
    assert "equivariant" in text
    assert "plain CNN + augmentation" in text


def test_fit_and_evaluate_an_equivariant_network(tmp_path, images):
    """The library's own network: its answers do not change under a quarter turn, and its bases are recorded."""
    out = tmp_path / "out"
    args = ["--data.name=folder", f"--data.root={images}", "--train.epochs=1", "--train.device=cpu", f"--out={out}"]
    options = ["--model.options.fields=[2,2]", "--model.options.kernels=[3,3]", "--model.options.pool_after=[1]"]
    assert main(["fit", "--model.name=steerable_cnn", "--model.group=D3", *options, *args]) == 0
    record = json.loads((out / "run.json").read_text())
    assert len(record["fingerprint"]) > 0
    assert any("regular" in t for t in record["types"].values())
    record["fingerprint"] = {k: v + 1 for k, v in record["fingerprint"].items()}
    assert main(["evaluate", str(out)]) == 0
    (out / "run.json").write_text(json.dumps(record))
    assert main(["evaluate", str(out)]) == 2


def test_the_command_line_wins_over_the_config_in_any_order():
    from steerable.run.parse import parse_fit

    before, _ = parse_fit(["--out", "a", "--seeds", "1", "2", "--config", "digits"])
    after, _ = parse_fit(["--config", "digits", "--out", "a", "--seeds", "1", "2"])
    assert before == after
    assert before.out == "a"
    assert list(before.seeds) == [1, 2]
