"""kill -9 at any moment, then the same call again: the same bytes, and nothing else."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from tests.data.shards import toy

pytest.importorskip("pyarrow")
CALLS = ("replace", "rename", "fsync", "unlink", "mkdir", "rmdir", "open")


class HalfWritten:
    """A file whose every write passes `step` when half of it is on the disk."""

    def __init__(self, file, step):
        self.file, self.step = file, step

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        self.step()
        self.file.write(data[len(data) // 2 :])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


def run_and_die(out, at):
    """Write in a forked child that is killed right before its step number `at`: a call that changes names or syncs, or
    the second half of a file.

    Returns whether it was killed; False: there were fewer calls.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads: the child only writes and dies
        child = os.fork()
    if child == 0:
        count = 0

        def step():
            nonlocal count
            count += 1
            if count > at:
                os.kill(os.getpid(), signal.SIGKILL)

        def counted(real):
            def call(*args, **kw):
                step()
                return real(*args, **kw)

            return call

        real_open = Path.open

        def half(path, mode="r", *args, **kw):
            file = real_open(path, mode, *args, **kw)
            return HalfWritten(file, step) if "w" in mode else file

        try:
            Path.open = half
            for name in CALLS:
                setattr(os, name, counted(getattr(os, name)))
            toy.write(out, parts={"train": 11})
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    toy.write(folder / "set", parts={"train": 11})
    return toy.tree(folder)


def test_killed_before_every_step(tmp_path, expected):
    at, kept = 0, set()
    while run_and_die(tmp_path / str(at) / "deep" / "set", at):
        kept.add(toy.write(tmp_path / str(at) / "deep" / "set", parts={"train": 11}).kept)
        assert toy.tree(tmp_path / str(at) / "deep") == expected, f"killed before call {at}"
        at += 1
    assert at > 30
    assert kept == {0, 1, 2}  # it did continue, and did not begin anew


def test_killed_many_times_in_a_row(tmp_path, expected):
    draw = random.Random(0)
    for trial in range(5):
        out = tmp_path / str(trial) / "set"
        out.parent.mkdir()
        kills = 0
        while kills < 6 and run_and_die(out, draw.randrange(1, 25)):
            kills += 1
        toy.write(out, parts={"train": 11})
        assert toy.tree(out.parent) == expected


def descendants(pid):
    """Process numbers of the children of a process, where the system tells."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("needs /proc")
    return [int(word) for word in path.read_text().split()]


def alive(pid):
    """Whether a process computes: it is there, and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_moments(tmp_path, workers):
    toy.write(tmp_path / "straight" / "set")
    out, draw = tmp_path / "killed" / "set", random.Random(workers)
    for _ in range(2 if workers == 1 else 1):
        command = [sys.executable, "-m", "tests.data.shards.toy", str(out), str(workers), "0.1"]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # several processes are killed at work, one also before its first shard
        sign = "set.partial/done/*/*.json" if workers > 1 else "set.partial"
        while not list(out.parent.glob(sign)):
            time.sleep(0.005)
            assert child.poll() is None
        time.sleep(draw.uniform(0.0, 0.3))
        started = descendants(child.pid)
        child.kill()
        child.wait()
        if workers > 1:
            assert len(started) >= 2
        for _ in range(400):
            if not any(alive(pid) for pid in started):
                break
            time.sleep(0.025)
        else:
            raise AssertionError(f"processes {started} live on without their parent")
    toy.write(out, workers=workers)
    assert toy.tree(tmp_path / "killed") == toy.tree(tmp_path / "straight")
