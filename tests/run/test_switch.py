"""Another architecture by one word: what the config says about its own network does not reach the new one."""

from __future__ import annotations

import pytest

import steerable as st
from steerable.run.parse import parse_fit
from steerable.run.sides import nearest_side, takes


@pytest.mark.parametrize(
    ("config", "name", "side"),
    [
        ("digits", "p4cnn", 28),
        ("digits", "hnet", 28),
        ("digits", "warped_cnn", 29),
        ("digits", "etn", 29),
        ("digits", "wrn10_1", 29),
        ("digits", "mobilenet_v2_small", 33),
        ("digits", "dieleman_d4", 45),
        ("frdeep", "hnet", 64),
        ("folder", "hnet", 64),
    ],
)
def test_one_word_chooses_the_network(config, name, side, capsys):
    found, _ = parse_fit(["--config", config, "--model.name", name])
    assert (found.model.name, found.model.group, found.model.options) == (name, None, {})
    assert found.data.options["side" if config == "folder" else "size"] == side
    assert found.out == f"runs/{config}_{name}"
    said = capsys.readouterr().out
    assert said.startswith(f"{name} in place of steerable_cnn") and said.count("\n") == 1
    network = st.create_model(name, in_channels=1, num_classes=2).eval()
    assert takes(network, 1, side)


def test_what_is_typed_stays(capsys):
    args = ["--model.name=p4cnn", "--model.options.width=4", "--data.options.size=30", "--out=a", "--config=digits"]
    found, _ = parse_fit(args)
    assert found.model.options == {"width": 4} and found.data.options["size"] == 30 and found.out == "a"
    found, _ = parse_fit(["--config", "digits", "--model.name", "lens_cnn", "--model.group", "D4"])
    assert found.model.group == "D4"


def test_a_twin_keeps_group_and_options():
    found, _ = parse_fit(["--config", "digits", "--model.name", "steerable_cnn_plain", "--model.group", "null"])
    assert found.model.options["fields"] == [4, 6, 8, 8, 8, 8] and found.out == "runs/digits"
    assert parse_fit(["--config", "digits", "--model.name", "steerable_cnn"])[0] == parse_fit(["--config", "digits"])[0]


def test_nearest_side():
    network = st.create_model("mobilenet_v2_small", num_classes=2)
    assert [nearest_side(network, 3, n) for n in (28, 29, 31, 33, 37)] == [25, 33, 33, 33, 41]
    assert nearest_side(st.nn.Sequential(st.nn.Conv2d(st.C(4).trivial * 1, st.C(4).trivial * 1, 91)), 1, 20) is None
    assert network.training
