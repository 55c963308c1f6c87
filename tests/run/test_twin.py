"""The plain twin by one flag: the same images, no symmetry, and a folder of its own."""

from __future__ import annotations

import pytest

from steerable.data import InputError
from steerable.run.build import build_model
from steerable.run.parse import packaged_configs, parse_fit
from steerable.run.store import parameter_count
from steerable.run.twin import augmentation


def test_twins_of_packaged_configs_match_in_parameters():
    for name in packaged_configs():
        if "_plain" in name:
            continue
        config, _ = parse_fit(["--config", name])
        for how in ("plain", "augmented"):
            twin, _ = parse_fit(["--config", name, "--twin", how])
            assert twin.data == config.data
            assert twin.model.name == f"{config.model.name}_plain"
            assert twin.model.group is None
            assert (twin.train.augment == "none") == (how == "plain")
            assert twin.out != config.out
            outputs = 2 if "codec" in name or "panorama" in name else 3  # the channels and their bits
            a, b = (parameter_count(build_model(c.model, 1, outputs)) for c in (config, twin))
            assert abs(a - b) < 0.05 * a, (name, a, b)


def test_a_config_with_twins_of_its_own():
    plain, _ = parse_fit(["--config=lensing", "--twin=plain"])
    assert plain == parse_fit(["--config", "lensing/classify_plain"])[0]
    augmented, _ = parse_fit(["--twin", "augmented", "--config", "lensing/classify", "--train.epochs", "3"])
    assert augmented.train.epochs == 3
    assert augmented.train.augment == "d4"
    assert augmented.out == "runs/lensing_plain_augmented"
    assert parse_fit(["--config", "lensing"])[0] == parse_fit(["--config", "lensing/classify"])[0]


def test_what_is_said_wins():
    twin, _ = parse_fit(["--config", "digits", "--twin", "augmented", "--out", "a", "--train.epochs=3", "--seeds", "1"])
    assert (twin.out, twin.train.epochs, twin.seeds, twin.train.augment) == ("a", 3, [1], "turn")
    assert parse_fit(["--config", "digits", "--twin", "plain"])[0].out == "runs/digits_plain"
    assert twin.model.options["group"] == "C8"


@pytest.mark.parametrize(
    ("group", "how"),
    [("D4", "d4"), ("C4", "turn"), ("C8", "turn"), ("D8", "rotate"), ("SO2", "turn"), ("O2", "rotate")],
)
def test_augmentation_shows_the_symmetry(group, how):
    assert augmentation(group) == how


def test_refuses():
    for argv, word in [
        (["--twin", "plian"], "Did you mean 'plain'?"),
        (["--twin", "plain", "--print_config"], "expected one of the two"),
        (["--twin"], "expected one of plain, augmented"),
        (["--twin", "plain", "--model.name", "lens_cnn_plain"], "has no plain twin"),
        (
            ["--twin", "plain", "--model.name", "lens_cnn", "--model.options.widths", "[1,2,3,4]"],
            "expected the default",
        ),
    ]:
        with pytest.raises(InputError) as e:
            parse_fit(argv)
        assert word in str(e.value)
        assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("group", "domain", "how"),
    [
        ("O", "volumes", "cube"),
        ("Oh", "volumes", "cube_flips"),
        ("SO3", "volumes", "turn_fourier"),
        ("O3", "volumes", "rotate_fourier"),
        ("SO3", "points", "turn"),
        ("O3", "points", "rotate"),
        ("C4", "volumes", "upright"),
    ],
)
def test_augmentation_of_space_leaves_the_noise_alone(group, domain, how):
    assert augmentation(group, domain) == how
