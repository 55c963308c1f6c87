"""What an entry is, how it is measured, and what its verdict is.

Three kinds of entry, all compared as ratios against a reference measured in the same run:

* ``Timed``: code against reference code in one process, warm, interleaved (timing.interleave);
* ``Fresh``: two programs, every sample a new interpreter, interleaved in the same way: imports, first builds, memory;
* ``Value``: a number that has no noise: an error, a size.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import Budget, Summary, Thunk, interleave, sampled, settle, verdict

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Entry:
    """What every entry has.

    name: what ``--only`` matches; figure: the line of the table, in words; goal: the ratio (or value) must not exceed
    it, None where there is none; peer: key of ``PEERS`` in peers/escnn_peer.py that measures the same figure for the
    peer; notes: what a reader of the table must know.
    """

    name: str
    figure: str
    goal: float | None = field(kw_only=True)
    peer: str | None = field(default=None, kw_only=True)
    notes: str = field(default="", kw_only=True)

    def measure(self, budget: Budget) -> Summary:
        """Measure the entry within ``budget``."""
        raise NotImplementedError(
            f"{type(self).__name__} {self.name!r}: expected a measure() method; derive from Timed, Fresh or Value"
        )


@dataclass(frozen=True)
class Timed(Entry):
    """Warm code in one process: ``setup() -> state``; ``run(state)`` and ``reference(state)`` return what is timed.

    ``reference`` is called twice, so that the control has modules and memory of its own.
    """

    setup: Callable[[], Any] = field(kw_only=True)
    run: Callable[[Any], Thunk] = field(kw_only=True)
    reference: Callable[[Any], Thunk] = field(kw_only=True)

    def measure(self, budget: Budget) -> Summary:
        """Time the entry, interleaved, in this process."""
        state = self.setup()
        return interleave(self.reference(state), self.run(state), self.reference(state), goal=self.goal, budget=budget)


@dataclass(frozen=True)
class Fresh(Entry):
    """Two programs in new interpreters. The program's last printed line is the sample; with ``clock_process`` the
    sample is the processor time (milliseconds, user and system) of the interpreter itself; ``variables`` are added to
    the environment of both."""

    run: str = field(kw_only=True)
    reference: str = field(kw_only=True)
    clock_process: bool = field(default=False, kw_only=True)
    variables: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    def measure(self, budget: Budget) -> Summary:
        """Run A, B, A' in new interpreters, ``budget.fresh_rounds`` times, in all orders."""
        return measure_fresh(
            sys.executable, self.reference, self.run, self.goal, budget, self.clock_process, self.variables
        )


@dataclass(frozen=True)
class Value(Entry):
    """A number without noise, compared with the goal itself: ``compute() -> float``."""

    compute: Callable[[], float] = field(kw_only=True)

    def measure(self, budget: Budget) -> Summary:
        """Compute the number once; its interval is the number."""
        return Summary.exact(float(self.compute()))


def environment() -> dict[str, str]:
    """The variables of a measured interpreter: one thread, the library and the benchmarks importable.

    Byte code is cached, as it is for every installed package: else an import would be a compilation.
    """
    paths = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(paths)}


# glibc gives every block above 64 KiB its own mapping, so that what is resident is what is alive. Left alone, the heap
# fragments by the luck of its addresses: the same plain program then differs by 30 % from one start to the next.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def run_program(python: str, program: str, clock_process: bool, variables: Mapping[str, str] | None = None) -> float:
    """Run ``program`` in a new interpreter. Returns its last printed number, or its processor time in milliseconds.

    Raises RuntimeError with the end of its standard error if it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [python, "-c", program],
        capture_output=True,
        text=True,
        env={**environment(), **(variables or {})},
        cwd=ROOT,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(
            f"the measured program failed with exit status {done.returncode}: {done.stderr.strip()[-600:]}"
        )
    if clock_process:
        return 1e3 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return float(done.stdout.strip().splitlines()[-1])


def measure_fresh(
    python: str,
    reference: str,
    run: str,
    goal: float | None,
    budget: Budget,
    clock_process: bool,
    variables: Mapping[str, str],
) -> Summary:
    """Rounds of A, B, A', each in a new interpreter; one round first, untimed, to fill the file cache."""
    samplers = [
        lambda p=program: run_program(python, p, clock_process, variables) for program in (reference, run, reference)
    ]
    samplers[0](), samplers[1]()
    rounds = Budget(min_rounds=budget.fresh_rounds, max_rounds=budget.fresh_rounds)
    return settle(0.0, goal, budget, lambda seconds: sampled(samplers, seconds, rounds))


@dataclass(frozen=True)
class Outcome:
    """One line of the table: the entry, its summary, its verdict, the peer's summary if any, an error if it failed."""

    name: str
    figure: str
    goal: float | None
    notes: str
    verdict: str
    summary: Mapping[str, float] | None
    peer: Mapping[str, float] | None
    error: str | None
    seconds: float

    @property
    def versus_peer(self) -> float | None:
        """Ratio of ratios: ours over the peer's, each against its own plain reference."""
        if self.summary is None or self.peer is None or not self.peer["ratio"]:
            return None
        return self.summary["ratio"] / self.peer["ratio"]


def measure(entry: Entry, budget: Budget) -> Outcome:
    """Measure one entry in this process. A failure becomes an outcome with verdict "failed", never an exception."""
    start = time.perf_counter()
    summary, error, word = None, None, "failed"
    try:
        result = entry.measure(budget)
        summary, word = result.as_dict(), verdict(result, entry.goal)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}".replace("\n", " ")[:600]
    seconds = time.perf_counter() - start
    return Outcome(entry.name, entry.figure, entry.goal, entry.notes, word, summary, None, error, seconds)


def first_call(imports: str, prepare: str, call: str) -> str:
    """Program whose sample is the processor time (ms) of ``call``, the first of its kind in a new interpreter."""
    return f"""
import gc, time, torch
torch.set_num_threads(1)
{imports}
{prepare}
gc.collect(); gc.disable()
start = time.process_time()
{call}
print(1e3 * (time.process_time() - start))
"""
