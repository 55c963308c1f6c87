"""The table in markdown and the record in JSON."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness import ROOT, Outcome
from benchmarks.timing import Budget

HEAD = "| figure | ratio (95 %) | goal | verdict | A/A | peer (95 %) | ours / peer | reference | rounds |"


def processor() -> str:
    """The processor's name as the system gives it, or what Python knows."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> str:
    """The short commit of the checkout, with ``+changes`` if the tree differs from it; "unknown" outside of git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def conditions(command: str, budget: Budget) -> dict[str, object]:
    """Everything a reader needs to judge or repeat the run."""
    import torch

    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit(),
        "threads": 1,
        "clock": budget.clock,
        "budget": asdict(budget),
        "command": command,
    }


def _number(value: float) -> str:
    """Three significant digits, without an exponent where that stays readable."""
    return (
        f"{value:.1e}" if value != 0 and abs(value) < 1e-3 else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    )


def _interval(summary: dict[str, float] | None) -> str:
    if summary is None:
        return "-"
    if summary["low"] == summary["high"]:
        return _number(summary["ratio"])
    return f"{_number(summary['ratio'])} ({_number(summary['low'])}-{_number(summary['high'])})"


def row(outcome: Outcome) -> str:
    """One line of the markdown table."""
    summary = dict(outcome.summary) if outcome.summary else None
    peer = dict(outcome.peer) if outcome.peer else None
    versus = outcome.versus_peer
    exact = summary is not None and summary["rounds"] == 1
    cells = [
        outcome.figure,
        _interval(summary),
        "-" if outcome.goal is None else f"<= {_number(outcome.goal)}",
        outcome.verdict,
        "-" if summary is None or exact else f"{summary['control']:.3f}",
        _interval(peer),
        "-" if versus is None else _number(versus),
        "-" if summary is None or exact else _number(summary["reference"]),
        "-" if summary is None else str(int(summary["rounds"])),
    ]
    return "| " + " | ".join(cells) + " |"


def markdown(outcomes: Sequence[Outcome], facts: dict[str, object]) -> str:
    """The whole report as markdown: conditions, table, notes, failures."""
    counts = {
        word: sum(o.verdict == word for o in outcomes) for word in ("met", "missed", "undecided", "measured", "failed")
    }
    lines = [
        "# Benchmarks",
        "",
        f"{facts['date']}; {facts['processor']}; Python {facts['python']}, torch {facts['torch']}; "
        f"commit {facts['commit']}; {facts['threads']} thread; {facts['clock']} time. `{facts['command']}`",
        "",
        "Ratio: ours over the plain reference, both measured in one run, median over rounds with a 95 % bootstrap "
        "interval. A/A: the reference over itself. Met: the whole interval lies at or below the goal and A/A within "
        "3 %; missed: it lies above; undecided: it straddles the goal, or A/A is off. Peer: escnn 1.0.11 over its own "
        "plain reference, in its own environment; ours / peer is the ratio of the two ratios. Reference: milliseconds "
        "(memory: MB).",
        "",
        ", ".join(f"{number} {word}" for word, number in counts.items() if number) + ".",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|---|---|",
        *map(row, outcomes),
    ]
    notes = [f"* {o.figure}: {o.notes}" for o in outcomes if o.notes]
    failures = [f"* {o.name}: {o.error}" for o in outcomes if o.error]
    if notes:
        lines += ["", "## Notes", *notes]
    if failures:
        lines += ["", "## Failed", *failures]
    return "\n".join(lines) + "\n"


def write(outcomes: Sequence[Outcome], facts: dict[str, object], out: Path) -> tuple[Path, Path]:
    """Write ``results.md`` and ``results.json`` into the folder ``out`` (made if absent); returns the two paths."""
    out.mkdir(parents=True, exist_ok=True)
    table, record = out / "results.md", out / "results.json"
    table.write_text(markdown(outcomes, facts))
    record.write_text(json.dumps({"conditions": facts, "outcomes": [asdict(o) for o in outcomes]}, indent=1) + "\n")
    return table, record
