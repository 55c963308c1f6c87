"""The pages on architectures print what they show."""

from pathlib import Path

import pytest
from tests.snippets import blocks, run_page

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs" / "models").glob("*.md"))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.stem)
def test_python_blocks_print_what_is_shown(page: Path) -> None:
    run_page(page)
