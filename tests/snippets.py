"""Python blocks of a page, run in one namespace; what they print is what the page shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import torch

NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[-+]\d+)?|(?<![\w.])-?\d+e[-+]\d+")


def blocks(page: Path) -> list[tuple[str, str | None]]:
    """Each python block with the text block right after it, if there is one."""
    pattern = r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?"
    return [(m[1], m[2]) for m in re.finditer(pattern, page.read_text(encoding="utf-8"), re.DOTALL)]


def assert_same_text(shown: str, printed: str) -> None:
    """Words must agree; decimal numbers within a tenth, and all below 1e-5 are rounding."""
    skeleton = [re.sub(r"\s+", " ", NUMBER.sub("#", t)).strip() for t in (shown, printed)]
    assert skeleton[0] == skeleton[1], f"the page shows\n{shown}\nbut this was printed:\n{printed}"
    for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        x, y = float(a), float(b)
        assert abs(x - y) <= 0.1 * abs(x) or max(abs(x), abs(y)) < 1.01e-5, f"the page shows {a}, printed was {b}"


def run_page(page: Path) -> int:
    """Run every block of a page; the number of outputs that were compared."""
    names: dict[str, object] = {"__name__": "page"}
    compared, dtype = 0, torch.get_default_dtype()
    try:
        for code, shown in blocks(page):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, str(page), "exec"), names)
            if shown is not None:
                assert_same_text(shown, out.getvalue())
                compared += 1
    finally:
        torch.set_default_dtype(dtype)
    return compared
