"""Command line: ``python -m benchmarks.run [--only NAME ...] [--quick] [--out FOLDER] [--no-peers] [--list]``.

Every entry is measured in a process of its own, so that no entry inherits the heap, the caches or the failure of
another. The peers' half runs in ``.venv-peers`` (made by benchmarks/make_peers.sh) and is left out if that is absent.
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.entries import all_entries
from benchmarks.harness import ROOT, Entry, Outcome, environment, measure
from benchmarks.report import HEAD, conditions, row, write
from benchmarks.timing import CLOCKS, Budget

MARK = "BENCH-JSON "


def peers_python() -> Path | None:
    """The interpreter of the peers' environment: ``$STEERABLE_PEERS`` or ``.venv-peers``; None if there is none."""
    python = Path(os.environ.get("STEERABLE_PEERS", ROOT / ".venv-peers")) / "bin" / "python"
    return python if python.exists() else None


def _answer(command: list[str]) -> dict[str, Any]:
    """Run a measuring process and return the JSON that it prints after ``MARK``; RuntimeError if it prints none."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT, check=False)
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(MARK):
            return json.loads(line[len(MARK) :])
    raise RuntimeError(f"{' '.join(command[1:4])} ended with status {done.returncode}: {done.stderr.strip()[-600:]}")


def measure_apart(entry: Entry, budget: Budget, peers: Path | None) -> Outcome:
    """Measure ``entry`` in a process of its own and its peer, if any, in another."""
    settings = json.dumps(dataclasses.asdict(budget))
    try:
        outcome = Outcome(
            **_answer([sys.executable, "-m", "benchmarks.run", "--one", entry.name, "--budget", settings])
        )
    except RuntimeError as error:
        outcome = Outcome(entry.name, entry.figure, entry.goal, entry.notes, "failed", None, None, str(error), 0.0)
    if peers is None or entry.peer is None:
        return outcome
    try:
        peer = _answer([str(peers), "-m", "benchmarks.peers.escnn_peer", entry.peer, "--budget", settings])
    except RuntimeError as error:
        return dataclasses.replace(outcome, error=f"{outcome.error or ''} peer: {error}".strip())
    return dataclasses.replace(outcome, peer=peer)


def choose(entries: dict[str, Entry], patterns: Sequence[str] | None) -> list[Entry]:
    """The entries whose name or group matches a pattern (``build``, ``build/*``, ``*c8*``); all without a pattern.

    Raises SystemExit with the list of names if a pattern matches nothing.
    """
    if not patterns:
        return list(entries.values())
    chosen: dict[str, Entry] = {}
    for pattern in patterns:
        found = [n for n in entries if fnmatch.fnmatch(n, pattern) or n.split("/")[0] == pattern]
        if not found:
            raise SystemExit(f"--only {pattern!r} matches no entry; expected one of: {', '.join(entries)}")
        chosen.update({name: entries[name] for name in found})
    return list(chosen.values())


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="entries or groups by name; * and ? are wild")
    parser.add_argument("--quick", action="store_true", help="about a second an entry; verdicts not to be quoted")
    parser.add_argument("--seconds", type=float, help="seconds of timed rounds per entry (default 4)")
    parser.add_argument("--clock", choices=sorted(CLOCKS), help="processor time (default) or wall time")
    parser.add_argument("--out", type=Path, default=ROOT / ".bench", help="folder for results.md and results.json")
    parser.add_argument("--no-peers", action="store_true", help="do not measure the peers")
    parser.add_argument("--list", action="store_true", help="name the entries and stop")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--budget", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmarks. Returns 1 if an entry failed to run, else 0: a missed goal is a finding, not a failure."""
    options = parse(words)
    entries = all_entries()
    if options.list:
        print("\n".join(f"{entry.name:40} {entry.figure}" for entry in entries.values()))
        return 0
    if options.one:
        import torch

        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        outcome = measure(entries[options.one], Budget(**json.loads(options.budget)))
        print(MARK + json.dumps(dataclasses.asdict(outcome)))
        return 0
    budget = Budget.quick() if options.quick else Budget()
    given = {"seconds": options.seconds, "clock": options.clock}
    budget = dataclasses.replace(budget, **{key: value for key, value in given.items() if value is not None})
    peers = None if options.no_peers else peers_python()
    if peers is None and not options.no_peers:
        print("no .venv-peers: the peers' columns stay empty (make bench-peers builds it)", file=sys.stderr)
    typed = list(words) if words is not None else sys.argv[1:]
    facts = conditions(" ".join(["python -m benchmarks.run", *typed]), budget)
    outcomes: list[Outcome] = []
    print(HEAD, flush=True)
    for entry in choose(entries, options.only):
        outcomes.append(measure_apart(entry, budget, peers))
        print(row(outcomes[-1]) + (f"   {outcomes[-1].error}" if outcomes[-1].error else ""), flush=True)
        write(outcomes, facts, options.out)
    print(f"\nwritten: {options.out / 'results.md'} and results.json")
    return 1 if any(outcome.verdict == "failed" for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
