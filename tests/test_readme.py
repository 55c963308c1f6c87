"""The README's Python blocks run, and print what the README shows."""

import re
from pathlib import Path

import pytest
from tests.snippets import assert_same_text, run_page

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def test_it_is_short() -> None:
    lines = len(README.read_text(encoding="utf-8").splitlines())
    assert lines < 150, f"README.md has {lines} lines, expected fewer than 150"


def test_python_blocks_print_what_is_shown() -> None:
    assert run_page(README) >= 2


def test_a_changed_output_is_noticed() -> None:
    with pytest.raises(AssertionError):
        assert_same_text("torch.Size([8, 10])", "torch.Size([8, 11])")
    with pytest.raises(AssertionError):
        assert_same_text("error 0.10", "error 0.20")
    assert_same_text("error 2.4e-07", "error  1.1e-07")


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text(encoding="utf-8")))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists(), f"README.md links to {target}, which does not exist"
