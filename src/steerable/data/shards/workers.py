"""Rows from several processes: the same rows, sooner."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.shards.columns import Block
from steerable.data.shards.plan import Shard

Make = Callable[[str, int, int], Iterable[Block]]
"""``make(part, start, stop)`` yields the rows `start` to `stop` of a part, in order, in blocks of any size."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: sums then never depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def produce(make: Make, shards: list[Shard], workers: int = 1) -> Iterator[tuple[Shard, Block | None]]:
    """Yield (shard, block) for every block as it is made, and (shard, None) when a shard is complete.

    With one worker the rows are made here. With several, each shard is made by one process with one thread; shards then
    come mixed, the blocks of each in order. The processes own no file and end with this one, however it ends.

    Args:
        make: makes the rows; with several workers it must pickle, so a function of a module or a `partial` of one.
        shards: what to make, in order.
        workers: how many processes.

    Raises:
        InputError: a process died, or `make` cannot be sent to one; what `make` raises is raised again.
    """
    if workers <= 1 or len(shards) <= 1:
        with one_thread():
            for shard in shards:
                for block in make(shard.part, shard.start, shard.stop):
                    yield shard, block
                yield shard, None
        return
    try:
        pickle.dumps(make)
    except Exception as e:
        raise InputError(
            f"workers={workers}: {make} cannot be sent to another process ({e}); expected a function of a module. "
            "Move it there or use workers=1."
        ) from None
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(shards))
    busy: dict[Connection, tuple[Any, Shard | None]] = {}
    try:
        for _ in range(min(workers, len(shards))):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, make), daemon=True)
            process.start()
            there.close()  # else the end of the process would not be seen
            busy[here] = (process, None)
            _give(here, busy, waiting)
        while any(shard is not None for _, shard in busy.values()):
            for ready in wait([c for c, (_, shard) in busy.items() if shard is not None]):
                yield from _take(ready, busy, waiting, workers)  # type: ignore[arg-type]
    finally:
        for connection, (process, _) in busy.items():
            connection.close()
            process.terminate()
            process.join()


def _give(connection: Connection, busy: dict[Connection, tuple[Any, Shard | None]], waiting: list[Shard]) -> None:
    process, _ = busy[connection]
    shard = waiting.pop() if waiting else None
    busy[connection] = (process, shard)
    if shard is not None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: the next read says so
            connection.send((shard.part, shard.start, shard.stop))


def _take(
    connection: Connection, busy: dict[Connection, tuple[Any, Shard | None]], waiting: list[Shard], workers: int
) -> Iterator[tuple[Shard, Block | None]]:
    process, shard = busy[connection]
    if shard is None:
        return
    try:
        kind, value = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise InputError(
            f"workers={workers}: a process ended with status {process.exitcode} while it made {shard.path}; expected "
            "its rows. If memory ran out, use fewer workers; in a script, call this under "
            "`if __name__ == '__main__':`."
        ) from None
    if kind == "block":
        yield shard, {k: v if isinstance(v, list) else torch.from_numpy(v) for k, v in value.items()}
    elif kind == "end":
        _give(connection, busy, waiting)
        yield shard, None
    else:
        raise value


def _serve(connection: Connection, make: Make) -> None:
    """Make the shards that are asked for, until nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    while True:
        try:
            part, start, stop = connection.recv()
        except EOFError:
            return
        try:
            for block in make(part, start, stop):
                connection.send(("block", {k: _plain(v) for k, v in block.items()}))
            connection.send(("end", None))
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as e:
            connection.send(("error", _portable(e)))


def _plain(values: Any) -> Any:
    """A numpy array for a tensor: torch would send it through shared memory, which outlives a killed process."""
    return values.detach().cpu().contiguous().numpy() if isinstance(values, Tensor) else list(values)


def _portable(error: Exception) -> Exception:
    """The error, or one of its kind that can be sent, with the lines that lead to it."""
    if not isinstance(error, InputError):
        error.add_note("in a worker process:\n" + traceback.format_exc())
    try:
        return pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    """Leave as soon as the parent is gone: after kill -9 nothing computes on."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
