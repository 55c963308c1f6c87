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
        (["point_cnn_plain", "--under=SO3"], 1, "NOT EXACT"),
    ],
)
def test_networks_of_space_are_checked_by_name(args, status, says, capsys):
    assert main(["check", *args]) == status
    assert says in capsys.readouterr().out
