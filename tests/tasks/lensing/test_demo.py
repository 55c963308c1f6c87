from __future__ import annotations

import dataclasses
import html.parser
import json

import pytest
import torch

from steerable.tasks.lensing.demo import ENTRANTS, Row, claims, compare, run_demo
from steerable.tasks.lensing.evaluate import Evaluation
from steerable.tasks.lensing.metrics import confusion_matrix
from steerable.tasks.lensing.table import COLUMNS, rich_table, table_cells
from steerable.tasks.lensing.train import Fit


class _Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        elif tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def test_quick_demo_writes_a_whole_page(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    seen: list[tuple[str, int, int]] = []
    result = run_demo(tmp_path, quick=True, progress=lambda *args: seen.append(args))
    page = _Page()
    text = result.report.read_text()
    page.feed(text)
    assert page.open == [] and len(page.images) == 5
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    assert "a blind fit of a smooth lens leaves" in text and "Quick run" in text and "% converged" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "result.json"]
    numbers = json.loads((tmp_path / "result.json").read_text())
    assert [row["name"] for row in numbers["rows"]] == [entrant.name for entrant in ENTRANTS]
    assert numbers["rows"][0]["changed"] == 0.0
    stages = list(dict.fromkeys(name for name, _, _ in seen))
    assert stages[0] == "simulate train" and stages[-1] == "write the report" and len(stages) == 8
    assert all(any(name == s and done == total for s, done, total in seen) for name in stages)
    cells = table_cells(result)
    assert len(cells) == 4 and all(len(row) == len(COLUMNS) for row in cells)
    assert rich_table(result).row_count == 4


def _row(name: str, correct: int, total: int = 400) -> Row:
    label = torch.zeros(total, dtype=torch.int64)
    logits = torch.zeros(total, 3)
    logits[:correct, 0] = 1
    logits[correct:, 1] = 1
    share = correct / total
    test = Evaluation(share, share, 0.9, 0.0, 0.0, confusion_matrix(logits, label), logits, label)
    return Row(dataclasses.replace(ENTRANTS[0], name=name), 1, Fit((1.0,), 1.0, share, 1.0), test)


def test_claims_name_a_winner_only_beyond_two_standard_errors() -> None:
    assert "level" in compare(_row("a", 300), _row("b", 299))
    sentence = compare(_row("a", 300), _row("b", 260))
    assert sentence.startswith("a is 10.0 points") and sentence.endswith("above b.")
    assert "below b" in compare(_row("a", 260), _row("b", 300))
    sentences = claims((_row("a", 300), _row("b", 260)), {"accuracy": 0.6, "auc": 0.8})
    assert any("changes 0 of 400 answers of a" in s for s in sentences)
    assert any("a +15.0, b +5.0" in s for s in sentences)
