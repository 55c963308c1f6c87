"""The README's Python blocks run, and print what the README shows."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[-+]\d+)?|(?<![\w.])-?\d+e[-+]\d+")


def blocks() -> list[tuple[str, str | None]]:
    """Each python block with the text block right after it, if there is one."""
    pattern = r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?"
    return [(m[1], m[2]) for m in re.finditer(pattern, README.read_text(encoding="utf-8"), re.DOTALL)]


def assert_same_text(shown: str, printed: str) -> None:
    """Words must agree; decimal numbers within a tenth, and all below 1e-5 are rounding."""
    skeleton = [re.sub(r"\s+", " ", NUMBER.sub("#", t)).strip() for t in (shown, printed)]
    assert skeleton[0] == skeleton[1], f"the README shows\n{shown}\nbut this was printed:\n{printed}"
    for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        x, y = float(a), float(b)
        assert abs(x - y) <= 0.1 * abs(x) or max(abs(x), abs(y)) < 1e-5, f"the README shows {a}, printed was {b}"


def test_it_is_short() -> None:
    lines = len(README.read_text(encoding="utf-8").splitlines())
    assert lines < 150, f"README.md has {lines} lines, expected fewer than 150"


def test_python_blocks_print_what_is_shown() -> None:
    found = blocks()
    assert len(found) >= 2 and any(shown for _, shown in found)
    names: dict[str, object] = {}
    for code, shown in found:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(README), "exec"), names)
        if shown is not None:
            assert_same_text(shown, out.getvalue())


def test_a_changed_output_is_noticed() -> None:
    with pytest.raises(AssertionError):
        assert_same_text("torch.Size([8, 10])", "torch.Size([8, 11])")
    with pytest.raises(AssertionError):
        assert_same_text("error 0.10", "error 0.20")
    assert_same_text("error 2.4e-07", "error  1.1e-07")


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text(encoding="utf-8")))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists(), f"README.md links to {target}, which does not exist"
