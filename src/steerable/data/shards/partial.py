"""OUT.partial: what an unfinished data set looks like on disk, and how it becomes OUT.

    OUT.partial/lock                            held by the process that writes
    OUT.partial/plan.json                       what is being written
    OUT.partial/done/train/shard-00000.json     rows, bytes and sha256 of a finished shard
    OUT.partial/data/...                        becomes OUT by one renaming

Every file is written beside its place, flushed to the disk and renamed, so it is absent or whole whenever the process
is killed; a shard counts as finished once its record in `done` stands, and is hashed again before work continues.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from steerable.data.errors import InputError
from steerable.data.shards.card import card
from steerable.data.shards.lock import LOCK
from steerable.data.shards.plan import Plan, Shard, first_difference

CARD, MANIFEST = "README.md", "manifest.json"
_PLAN, _DONE, _DATA, _TEMPORARY = "plan.json", "done", "data", ".tmp"


def partial_folder(out: Path) -> Path:
    """The folder in which `out` is built."""
    return out.with_name(out.name + ".partial")


def dumps(value: Any) -> str:
    """JSON text, keys in the order in which they stand."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def sha256(path: Path) -> str:
    """Checksum of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is absent or whole, also after a power cut."""
    temporary = path.with_name(path.name + _TEMPORARY)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Partial:
    """The unfinished data set of `plan` beside `out`. Whoever uses it holds its lock.

    Args:
        out: the final folder.
        plan: what is being written.
    """

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out, self.plan = out, plan
        self.folder = partial_folder(out)
        self.data, self.done = self.folder / _DATA, self.folder / _DONE

    def prepare(self, fresh: bool = False) -> dict[Shard, dict[str, Any]]:
        """Take over what an earlier run left, or begin; return the records of the finished shards.

        Damaged shards are removed, and temporary files will be written over; a folder that is not ours, or is that of
        another plan, is left as it was.

        Args:
            fresh: the lock file was made just now, and goes again if the folder is refused.

        Raises:
            InputError: the folder holds another plan, or files that no such run wrote.
        """
        plan = self.folder / _PLAN
        try:
            self._check()
        except InputError:
            if fresh:
                (self.folder / LOCK).unlink()
            raise
        if not plan.is_file():
            write_whole(plan, dumps(self.plan.to_dict()).encode())
        for part in self.plan.parts:
            (self.data / part).mkdir(parents=True, exist_ok=True)
            (self.done / part).mkdir(parents=True, exist_ok=True)
        return {shard: record for shard in self.plan.shards() if (record := self._record(shard)) is not None}

    def is_ours(self) -> bool:
        """Whether the folder holds this plan, or none yet, and nothing that such a run does not write."""
        try:
            self._check()
        except InputError:
            return False
        return True

    def _check(self) -> None:
        """Refuse a folder with another plan or foreign files."""
        path = self.folder / _PLAN
        known = {LOCK, _PLAN + _TEMPORARY}
        if path.is_file():
            self._check_plan(path)
            shards = self.plan.shards()
            files = [_PLAN, f"{_DATA}/{CARD}", f"{_DATA}/{MANIFEST}", *(f"{_DATA}/{s.path}" for s in shards)]
            files += [self._record_path(s).relative_to(self.folder).as_posix() for s in shards]
            known.update(files, (f + _TEMPORARY for f in files), (_DATA, _DONE))
            known.update(f"{top}/{part}" for top in (_DATA, _DONE) for part in self.plan.parts)
        for found in sorted(self.folder.rglob("*")):
            if found.relative_to(self.folder).as_posix() not in known:
                raise InputError(
                    f"'{found}' was not written by an unfinished run of this data set; expected plan.json, data and "
                    f"done in '{self.folder}'. Move it away, or say another folder."
                )

    def _check_plan(self, path: Path) -> None:
        try:
            found = json.loads(path.read_bytes())
        except ValueError as e:
            raise InputError(
                f"'{path}' cannot be read as JSON ({e}); expected the plan of an unfinished run. "
                f"Remove '{self.folder}'."
            ) from None
        if text := first_difference(found, json.loads(dumps(self.plan.to_dict()))):
            raise InputError(
                f"'{self.folder}' is an unfinished run of another plan: its {text}. Give the same values to continue "
                "it, remove that folder, or say another one."
            )

    def _record(self, shard: Shard) -> dict[str, Any] | None:
        """The record of a shard that is finished and whole; what is left of any other is removed."""
        file, record = self.data / shard.path, self._record_path(shard)
        try:
            found = json.loads(record.read_bytes())
            if file.stat().st_size == found["bytes"] and sha256(file) == found["sha256"]:
                return found
        except (OSError, ValueError, KeyError, TypeError):
            pass
        record.unlink(missing_ok=True)  # first: a record never stands without its shard
        file.unlink(missing_ok=True)
        return None

    def _record_path(self, shard: Shard) -> Path:
        return (self.done / shard.path).with_suffix(".json")

    def add(self, shard: Shard, data: bytes) -> dict[str, Any]:
        """Write one finished shard and its record, which is returned."""
        record = {
            "path": shard.path,
            "part": shard.part,
            "rows": shard.rows,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        write_whole(self.data / shard.path, data)
        write_whole(self._record_path(shard), dumps(record).encode())
        return record

    def finish(self, records: dict[Shard, dict[str, Any]]) -> None:
        """Write card and manifest, give the folder its name in one step, and remove what is left.

        Args:
            records: those of all shards.

        Raises:
            InputError: something else took the name meanwhile.
        """
        manifest = self.plan.to_dict()
        manifest["shards"] = [records[shard] for shard in self.plan.shards()]
        write_whole(self.data / CARD, card(self.plan).encode())
        write_whole(self.data / MANIFEST, dumps(manifest).encode())
        try:
            os.rename(self.data, self.out)
        except OSError as e:
            raise InputError(
                f"'{self.out}' cannot be given to the finished data set ({e.strerror}); expected a free name. Free it "
                "and run the same command again."
            ) from None
        flush_folder(self.out.parent)
        self.remove()

    def is_left_over(self) -> bool:
        """Whether the folder is what a run killed after its renaming leaves: ours, without data."""
        return self.is_ours() and not self.data.exists()

    def remove(self) -> None:
        """Remove the folder; the lock goes last, while it is held."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.done, ignore_errors=True)
        for path in (self.folder / f"{_PLAN}{_TEMPORARY}", self.folder / _PLAN, self.folder / LOCK):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the next process has put its lock there already
            self.folder.rmdir()
