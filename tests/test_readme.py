"""The README tells the truth: its code runs and prints what it shows, and it stays short."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from pathlib import Path

import pytest
import torch

from steerable.run.cli import COMMANDS
from steerable.run.parse import packaged_configs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_is_shown():
    blocks = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) >= 1
    for code, shown in blocks:
        torch.manual_seed(0)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "README.md", "exec"), {})
        assert out.getvalue() == shown


def test_it_is_short():
    assert len(README.splitlines()) < 150


def test_commands_configs_and_targets_exist():
    used = set(re.findall(r"^    steerable ([a-z]+)", README, flags=re.MULTILINE))
    used |= set(re.findall(r"`steerable ([a-z]+)", README))
    assert len(used) >= 4
    assert used <= {*COMMANDS}, used - {*COMMANDS}
    assert set(re.findall(r"--config (\w+)", README)) <= set(packaged_configs())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|    )make ([a-z-]+)", README)) <= targets


def test_links_lead_somewhere():
    prose = re.sub(r"```.*?```|`.*?`", "", README, flags=re.DOTALL)
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", prose):
        assert (ROOT / target).exists(), target


def test_continuous_integration_runs_the_test_command_of_the_readme():
    assert "`make test` (the suite)" in README
    script = (ROOT / ".ci" / "run").read_text()
    assert script.index("make test") < script.index("make lint")


@pytest.mark.parametrize("script", [".ci/run", ".ci/extras"])
def test_scripts_are_valid_bash(script):
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True)
