"""What is installed: extras, limits, targets and the scripts of continuous integration agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from steerable.run.cli import COMMANDS
from steerable.run.parse import packaged_configs

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIMITS = dict(
    line.lower().split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)


def plain(requirement: str) -> str:
    """The name alone, as pip compares names."""
    return re.split(r"[\[<>=!;]", requirement)[0].strip().lower()


def key(name: str) -> str:
    return name.replace("_", "-")


def test_the_core_needs_torch_and_numpy_only():
    assert {plain(r) for r in PROJECT["dependencies"]} == {"torch", "numpy"}


def test_torch_has_a_floor_and_a_ceiling_and_a_tested_version():
    torch = next(r for r in PROJECT["dependencies"] if plain(r) == "torch")
    assert ">=" in torch
    assert "<" in torch.replace(">=", "")
    assert LIMITS["torch"] == "2.13.0"
    assert int(LIMITS["numpy"].split(".")[0]) >= 2


def test_every_required_package_has_a_tested_version():
    wanted = {key(plain(r)) for extra in PROJECT["optional-dependencies"].values() for r in extra} - {"steerable"}
    assert wanted - {key(name) for name in LIMITS} == set()


def test_all_names_every_extra():
    extras = set(PROJECT["optional-dependencies"]) - {"all"}
    named = set(re.search(r"\[(.*)\]", PROJECT["optional-dependencies"]["all"][0])[1].split(","))
    assert named == extras


def test_the_stolen_versions_are_excluded():
    lightning = next(r for r in PROJECT["optional-dependencies"]["train"] if plain(r) == "lightning")
    assert {"!=2.6.2", "!=2.6.3"} <= set(lightning.removeprefix("lightning").split(","))


@pytest.mark.parametrize("script", [".ci/run", ".ci/extras", "benchmarks/make_peers.sh"])
def test_scripts_are_valid(script):
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True)


def test_continuous_integration_runs_the_tests_then_lint_then_the_extras():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.index("make test") < script.index("make lint") < script.index(".ci/extras")


def test_the_readme_names_commands_configs_and_targets_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"^    steerable ([a-z]+)", readme, flags=re.MULTILINE))
    used |= set(re.findall(r"`steerable ([a-z]+)", readme))
    assert len(used) >= 4
    assert used <= {*COMMANDS}, used - {*COMMANDS}
    assert set(re.findall(r"--config (\w+)", readme)) <= set(packaged_configs())
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|    )make ([a-z-]+)", readme)) <= targets
    assert {"demo", "test", "bench", "lint", "docs", "stress", "bench-peers"} <= targets
