"""Writing a data set that can be interrupted at any moment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.shards.columns import Block, check_block
from steerable.data.shards.lock import locked
from steerable.data.shards.manifest import read_manifest
from steerable.data.shards.parquet import encode
from steerable.data.shards.partial import Partial, partial_folder
from steerable.data.shards.plan import Plan, Shard, first_difference
from steerable.data.shards.workers import Make, produce


@dataclasses.dataclass(frozen=True)
class Written:
    """What `write_shards` did.

    Attributes:
        folder: the data set.
        shards: how many shards it has.
        kept: how many of them an earlier run had made.
        already: the same data set was there, whole; nothing was done.
    """

    folder: Path
    shards: int
    kept: int
    already: bool = False


def write_shards(
    out: str | Path,
    plan: Plan,
    make: Make,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    start: Callable[[int, int], None] | None = None,
) -> Written:
    """Write the data set of `plan` into the new folder `out`, or continue where an earlier call was interrupted.

    Shards are made from scratch one by one, in OUT.partial, which is renamed when all are there. Killed at any moment
    and called again with the same plan, this gives the bytes of a call that was not interrupted, and leaves nothing
    else. The bytes do not depend on `workers`. While rows are made torch uses one thread.

    Args:
        out: the folder.
        plan: what to write.
        make: ``make(part, start, stop)`` yields the rows `start` to `stop` of a part in blocks; it must give the same
            rows whenever it is called.
        workers: processes that make shards.
        progress: called with (rows done, rows in all) after every block.
        start: called once with (shards that are there, shards in all) before any is made.

    Raises:
        InputError: `out` exists and is something else, OUT.partial belongs to another plan or another process, rows are
            other than planned, the disk is full. Finished shards stay in OUT.partial; without any it is removed.
    """
    out = Path(os.path.abspath(out))
    if not out.name:
        raise InputError(f"out is '{out}'; expected the name of a new folder. Say one, such as '{out / 'set'}'.")
    if workers < 1:
        raise InputError(f"workers is {workers}; expected at least 1.")
    folder = partial_folder(out)
    if out.exists() and not folder.exists():
        return _there(out, plan)
    made = [p for p in (out.parent, *out.parent.parents) if not p.exists()]
    partial = Partial(out, plan)
    try:
        with locked(folder, str(out)) as fresh:
            if out.exists():
                found = _there(out, plan)
                if partial.is_left_over():
                    partial.remove()
                return found
            records: dict[Shard, dict[str, Any]] = {}
            try:
                records.update(partial.prepare(fresh))
                return _write(partial, records, make, workers, progress, start)
            except BaseException as e:
                if not records and partial.is_ours():
                    partial.remove()
                explained = _explained(e, partial, records)
                if explained is e:
                    raise
                raise explained from None
    except OSError as e:
        raise _disk(e, out) from None
    finally:
        for parent in made:
            try:
                parent.rmdir()
            except OSError:  # it holds something
                break


def _write(
    partial: Partial,
    records: dict[Shard, dict[str, Any]],
    make: Make,
    workers: int,
    progress: Callable[[int, int], None] | None,
    start: Callable[[int, int], None] | None,
) -> Written:
    plan = partial.plan
    shards = plan.shards()
    kept, total = len(records), sum(plan.parts.values())
    done = sum(shard.rows for shard in records)
    if start is not None:
        start(kept, len(shards))
    if progress is not None:
        progress(done, total)
    blocks: dict[Shard, list[Block]] = {}
    # closed at once after an error, so that no process computes on
    with closing(produce(make, [s for s in shards if s not in records], workers)) as made:
        for shard, block in made:
            if block is not None:
                rows = len(next(iter(block.values()), ()))
                check_block(block, plan.columns, rows, f"{shard.path}, as it was made")
                blocks.setdefault(shard, []).append(block)
                done += rows
                if progress is not None:
                    progress(done, total)
                continue
            whole = join(blocks.pop(shard, []))
            check_block(whole, plan.columns, shard.rows, f"{shard.path}, as it was made")
            records[shard] = partial.add(shard, encode(whole, plan.columns))
    partial.finish(records)
    return Written(partial.out, len(shards), kept)


def join(blocks: list[Block]) -> Block:
    """One block of all rows."""
    if len(blocks) == 1:
        return blocks[0]
    return {
        name: torch.cat([b[name] for b in blocks])
        if isinstance(first, Tensor)
        else [entry for b in blocks for entry in b[name]]
        for name, first in (blocks[0] if blocks else {}).items()
    }


def _there(out: Path, plan: Plan) -> Written:
    """Accept a folder that holds the data set already, whole; refuse any other."""
    mend = "Remove it or say another folder."
    try:
        manifest = read_manifest(out)
    except InputError as e:
        raise InputError(f"'{out}' exists already and is no data set ({e}); expected a free name. {mend}") from None
    if text := first_difference({k: v for k, v in manifest.raw.items() if k != "shards"}, plan.to_dict()):
        raise InputError(f"'{out}' exists already and is another data set: its {text}. {mend}")
    try:
        manifest.check()
    except InputError as e:
        raise InputError(f"'{out}' exists already and is damaged: {e} {mend}") from None
    return Written(out, len(manifest.shards), len(manifest.shards), already=True)


def _disk(error: OSError, out: Path) -> InputError:
    return InputError(
        f"'{out}' cannot be written ({error.strerror or error}); expected a folder on a disk with room. Mend that and "
        "run the same command again."
    )


def _explained(error: BaseException, partial: Partial, records: dict[Shard, dict[str, Any]]) -> BaseException:
    """The error, with the word that finished shards stay and how to go on."""
    if isinstance(error, OSError):
        error = _disk(error, partial.out)
    if not records:
        return error
    total = len(partial.plan.shards())
    text = f"{len(records)} of {total} shards are in '{partial.folder}'; the same command continues."
    if isinstance(error, (InputError, KeyboardInterrupt)):
        error.args = (" ".join([*map(str, error.args), text]),)
    else:
        error.add_note(text)
    return error
