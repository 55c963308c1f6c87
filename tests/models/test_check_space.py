"""`steerable check` of networks of volumes and points, by name."""

from __future__ import annotations

import pytest

from steerable.run.cli import main


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["volume_cnn", "--group=O", "--size=7"], 0, "exact"),
        (["volume_cnn_plain", "--size=7", "--under=O"], 1, "NOT EXACT"),
        (["point_cnn", "--group=O3"], 0, "translation"),
        (["point_cnn", "--group=C4"], 0, "translation"),
        (["point_cnn_plain", "--under=SO3"], 1, "NOT EXACT"),
    ],
)
def test_networks_of_space_are_checked_by_name(args, status, says, capsys):
    assert main(["check", *args]) == status
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    ("network", "data"),
    [
        (["volume_cnn", "O", "{widths: [1], kernel_size: 3}"],
         ["volumes_synthetic", "{train: 16, validation: 8, test: 8, size: 9}"]),
        (["volume_unet", "O", "{widths: [1, 1], kernel_size: 3}"],
         ["volumes_synthetic", "{task: segment, train: 16, validation: 8, test: 8, size: 9}"]),
        (["point_cnn", "SO3", "{widths: [2], cutoff: 0.5}"],
         ["shapes", "{train: 22, validation: 11, test: 11, points: 16}"]),
    ],
)  # fmt: skip
def test_runs_on_space_are_checked(network, data, tmp_path, capsys):
    out = tmp_path / "run"
    words = [f"--model.name={network[0]}", f"--model.group={network[1]}", f"--model.options={network[2]}"]
    words += [f"--data.name={data[0]}", f"--data.options={data[1]}", "--train.epochs=1", "--train.device=cpu"]
    assert main(["fit", f"--out={out}", *words]) == 0
    assert main(["check", str(out), f"--out={tmp_path / 'a.png'}"]) == 0
    assert "exact" in capsys.readouterr().out
