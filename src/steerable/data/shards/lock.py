"""One process at a time: a lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steerable.data.errors import InputError

LOCK = "lock"


@contextmanager
def locked(folder: Path, what: str) -> Iterator[bool]:
    """Make `folder` if it is absent and hold the lock in it.

    Yields whether the lock file is new. It is not removed at the end: who empties the folder removes it last, while it
    is held.

    Args:
        folder: where the lock file lies.
        what: what is being made, for the message.

    Raises:
        InputError: another process holds it.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        raise InputError(
            f"'{what}' cannot be locked on {sys.platform}; expected one with fcntl, as Linux or macOS. Use that."
        ) from None
    path = folder / LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # the holder has just finished and removed the folder
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(path, handle):
                break
            os.close(handle)  # removed by its last holder between open and lock: take the new one
        except BlockingIOError:
            os.close(handle)
            raise InputError(
                f"'{what}' is being written by another process; expected none. Wait for it, or say another folder."
            ) from None
        except BaseException:
            os.close(handle)
            raise
    try:
        yield fresh
    finally:
        os.close(handle)


def _is_there(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
