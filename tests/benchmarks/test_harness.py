"""The harness itself: statistics, verdicts, isolation, report. Nothing here asserts a time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.entries import all_entries
from benchmarks.harness import Entry, Fresh, Outcome, Timed, Value, first_call, measure, run_program
from benchmarks.report import markdown, write
from benchmarks.timing import (
    Budget,
    Summary,
    bootstrap_median,
    interleave,
    summarise,
    verdict,
)

TINY = Budget(seconds=0.01, min_rounds=6, max_rounds=6, fresh_rounds=1, patience=0)
FACTS = {
    "date": "today",
    "processor": "x",
    "python": "3",
    "torch": "2",
    "commit": "c",
    "threads": 1,
    "clock": "cpu",
    "command": "run",
}


def summary(ratio: float, width: float = 0.01, control: float = 1.0) -> Summary:
    """A summary around ``ratio``."""
    return Summary(ratio, ratio - width, ratio + width, control, control, control, 1.0, ratio, 10)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (summary(0.9), "met"),
        (summary(1.2), "missed"),
        (summary(1.0), "undecided"),  # straddles the goal
        (summary(0.9, control=1.04), "undecided"),  # the control is off: nothing can be said, good or bad
        (summary(1.2, control=0.96), "undecided"),
    ],
)
def test_verdict(given: Summary, word: str) -> None:
    assert verdict(given, 1.0) == word


def test_verdict_without_goal() -> None:
    assert verdict(summary(5.0), None) == "measured"


def test_summary_of_known_rounds() -> None:
    found = summarise([(1.0, 2.0, 1.0), (2.0, 4.0, 2.0), (1.0, 2.0, 3.0)])
    assert found.ratio == 2.0 and found.control == 1.0 and found.rounds == 3
    assert found.low == pytest.approx(1.0) and found.high == pytest.approx(2.0)


def test_bootstrap_repeats_and_covers() -> None:
    values = [1.0, 1.1, 0.9, 1.05, 0.95]
    assert bootstrap_median(values) == bootstrap_median(values)
    middle, low, high = bootstrap_median(values)
    assert low <= middle <= high
    with pytest.raises(ValueError, match="no values"):
        bootstrap_median([])


def test_interleave_runs_all_three_equally_often() -> None:
    calls = {"a": 0, "b": 0, "c": 0}

    def count(key: str):
        def thunk() -> None:
            calls[key] += 1
            sum(range(2000))

        return thunk

    found = interleave(count("a"), count("b"), count("c"), budget=TINY)
    assert found.rounds == 6 and min(calls.values()) > 6
    assert found.low <= found.ratio <= found.high


def test_first_call_measures_only_the_call() -> None:
    program = first_call("import time as clock", "big = 10**6", "sum(range(big))")
    assert 0 < run_program(sys.executable, program, clock_process=False) < 5000
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run_program(sys.executable, first_call("", "", "1 / 0"), clock_process=False)


def test_entries_have_unique_names_goals_and_groups() -> None:
    entries = all_entries()
    assert len(entries) > 40
    for name, entry in entries.items():
        assert name == entry.name and "/" in name
        assert entry.goal is None or entry.goal > 0


def test_peers_named_by_entries_exist() -> None:
    source = (Path(run.__file__).parent / "peers" / "escnn_peer.py").read_text()
    assert "import steerable" not in source
    from benchmarks.peers.escnn_peer import PEERS

    assert {e.peer for e in all_entries().values() if e.peer} <= set(PEERS)


def test_choose_by_group_pattern_and_misspelling() -> None:
    entries = all_entries()
    assert {e.name.split("/")[0] for e in run.choose(entries, ["exactness"])} == {"exactness"}
    assert len(run.choose(entries, ["build/c8*"])) == 5
    with pytest.raises(SystemExit, match="matches no entry"):
        run.choose(entries, ["bulid"])


def test_a_broken_entry_is_an_outcome() -> None:
    outcome = measure(Value("x/y", "broken", goal=1.0, compute=lambda: 1 / 0), TINY)
    assert outcome.verdict == "failed" and "ZeroDivisionError" in str(outcome.error)


def test_timed_and_fresh_entries_measure() -> None:
    thunk = lambda _: lambda: sum(range(3000))  # noqa: E731
    assert (
        measure(Timed("x/t", "t", goal=None, setup=lambda: None, run=thunk, reference=thunk), TINY).verdict
        == "measured"
    )
    fresh: Entry = Fresh("x/f", "f", goal=2.5, reference="print(2.0)", run="print(4.0)")
    found = measure(fresh, TINY)
    assert found.verdict == "met" and found.summary is not None and found.summary["ratio"] == 2.0


def test_report_is_readable_and_json(tmp_path: Path) -> None:
    good = Outcome("a/b", "a figure", 1.1, "a note", "met", summary(1.0).as_dict(), summary(4.0).as_dict(), None, 1.0)
    bad = Outcome("a/c", "another", 1.0, "", "failed", None, None, "why", 1.0)
    assert good.versus_peer == pytest.approx(0.25)
    text = markdown([good, bad], FACTS)
    assert "| a figure | 1 (0.99-1.01) | <= 1.1 | met |" in text and "0.25" in text and "* a/c: why" in text
    table, record = write([good, bad], FACTS, tmp_path / "new")
    assert table.read_text() == text and len(json.loads(record.read_text())["outcomes"]) == 2
