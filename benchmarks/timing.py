"""Interleaved timing of several pieces of code and the statistics of their ratios.

Three blocks are timed in every round: the reference A, the candidate B, and the control A', which is the reference a
second time under another name. The order of the three runs through all six permutations, so that no block always
inherits the cache of the same neighbour. What is reported is the median over rounds of B / mean(A, A') with a 95 %
percentile bootstrap interval; A' / A says how far the machine itself can be trusted.

This file needs numpy and torch only: the peers' environment runs it too.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

Thunk = Callable[[], object]
Clock = Callable[[], float]
# Processor time of the whole process is the default: other programs do not enter it, and hidden threads do.
CLOCKS: dict[str, Clock] = {"cpu": time.process_time, "wall": time.perf_counter}
ORDERS = tuple(itertools.permutations(range(3)))
AA_TOLERANCE = 0.03


@dataclass(frozen=True)
class Budget:
    """How long an entry may take.

    seconds: time of the timed rounds of one entry; min_rounds: rounds at least, whatever they cost;
    max_rounds: rounds at most; fresh_rounds: rounds of entries measured in fresh interpreters;
    patience: how often an undecided entry is given ``seconds`` more; clock: "cpu" or "wall".
    """

    seconds: float = 4.0
    min_rounds: int = 12
    max_rounds: int = 240
    fresh_rounds: int = 9
    patience: int = 2
    clock: str = "cpu"

    @classmethod
    def quick(cls) -> Budget:
        """A budget for a first look: about a second an entry; its verdicts are not to be quoted."""
        return cls(seconds=1.0, min_rounds=6, fresh_rounds=3, patience=0)


@dataclass(frozen=True)
class Summary:
    """Statistics of one A/B/A' measurement. Times are in the unit of the measurement (milliseconds or megabytes)."""

    ratio: float
    low: float
    high: float
    control: float
    control_low: float
    control_high: float
    reference: float
    candidate: float
    rounds: int

    def as_dict(self) -> dict[str, float]:
        """Return the fields as a plain dictionary, for JSON."""
        return asdict(self)

    @classmethod
    def exact(cls, value: float) -> Summary:
        """The summary of a number without noise: no reference, no control, one round."""
        return cls(value, value, value, 1.0, 1.0, 1.0, 0.0, value, 1)


def bootstrap_median(values: Sequence[float], resamples: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Median of ``values`` with its 95 % percentile bootstrap interval: (median, low, high). The seed is fixed."""
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0:
        raise ValueError("bootstrap_median: got no values, expected at least one; raise min_rounds")
    draws = np.random.default_rng(seed).integers(0, data.size, size=(resamples, data.size))
    low, high = np.percentile(np.median(data[draws], axis=1), [2.5, 97.5])
    return float(np.median(data)), float(low), float(high)


def summarise(rounds: Sequence[tuple[float, float, float]]) -> Summary:
    """Summarise rounds of (A, B, A'): ratio B / mean(A, A') and control A' / A, each by rounds, then by median."""
    table = np.asarray(rounds, dtype=np.float64)
    reference = (table[:, 0] + table[:, 2]) / 2
    ratio, low, high = bootstrap_median((table[:, 1] / reference).tolist())
    control, control_low, control_high = bootstrap_median((table[:, 2] / table[:, 0]).tolist(), seed=1)
    return Summary(
        ratio,
        low,
        high,
        control,
        control_low,
        control_high,
        float(np.median(reference)),
        float(np.median(table[:, 1])),
        len(table),
    )


def verdict(summary: Summary, goal: float | None) -> str:
    """Say "met", "missed" or "undecided" for ``ratio <= goal``; "measured" when there is no goal.

    Met: the whole interval lies at or below the goal. Missed: it lies above. Undecided: it straddles the goal, or the
    control A' / A is off by more than 3 %, in which case the machine was too restless to say anything.
    """
    if goal is None:
        return "measured"
    if abs(summary.control - 1.0) > AA_TOLERANCE:
        return "undecided"
    if summary.high <= goal:
        return "met"
    return "missed" if summary.low > goal else "undecided"


def settle(seconds: float, goal: float | None, budget: Budget, more: Callable[[float], Iterable[tuple]]) -> Summary:
    """Collect rounds from ``more(seconds)`` until the verdict is decided or the budget's patience is used up."""
    rounds: list[tuple[float, float, float]] = list(more(seconds))
    for _ in range(budget.patience):
        if verdict(summarise(rounds), goal) != "undecided":
            break
        rounds.extend(more(seconds))
    return summarise(rounds)


def _calls_per_block(thunk: Thunk, clock: Clock, target: float) -> tuple[int, float]:
    """Warm ``thunk`` up and return (calls that fill about ``target`` seconds, seconds of one call)."""
    for _ in range(2):
        thunk()
    start, calls = clock(), 0
    while calls < 3 or (clock() - start < 0.1 and calls < 1000):
        thunk()
        calls += 1
    once = max((clock() - start) / calls, 1e-7)
    return max(1, min(1000, round(target / once))), once


def _block(thunk: Thunk, calls: int, once: float, clock: Clock) -> float:
    """Milliseconds of one call, from ``calls`` in a row after one untimed call (left out where calls are slow)."""
    if once < 0.02:
        thunk()
    start = clock()
    for _ in range(calls):
        thunk()
    return 1e3 * (clock() - start) / calls


def interleave(
    reference: Thunk, candidate: Thunk, control: Thunk, *, goal: float | None = None, budget: Budget | None = None
) -> Summary:
    """Time A, B, A' in one process and summarise. The caller sets the threads; the collector is off within."""
    budget = budget or Budget()
    clock = CLOCKS[budget.clock]
    thunks = (reference, candidate, control)
    target = budget.seconds / 120
    plans = [_calls_per_block(thunk, clock, target) for thunk in thunks]
    turn = itertools.count()

    def more(seconds: float) -> Iterator[tuple[float, float, float]]:
        stop = time.perf_counter() + seconds
        done = 0
        # whole cycles of the six orders, so that no block is favoured by its place
        while done < budget.min_rounds or (time.perf_counter() < stop and done < budget.max_rounds):
            times = [0.0, 0.0, 0.0]
            for i in ORDERS[next(turn) % 6]:
                times[i] = _block(thunks[i], *plans[i], clock)
            yield times[0], times[1], times[2]
            done += 1

    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        return settle(budget.seconds, goal, budget, more)
    finally:
        if was_enabled:
            gc.enable()


def sampled(samplers: Sequence[Callable[[], float]], seconds: float, budget: Budget) -> Iterator[tuple]:
    """Yield rounds of three samples, in all orders, for ``seconds`` or ``min_rounds``."""
    stop = time.perf_counter() + seconds
    done = 0
    while done < budget.min_rounds or (time.perf_counter() < stop and done < budget.max_rounds):
        values = [0.0, 0.0, 0.0]
        for i in ORDERS[done % 6]:
            values[i] = samplers[i]()
        yield values[0], values[1], values[2]
        done += 1
