"""Kill ``steerable simulate lensing`` at random moments, run it again, and compare the bytes.

Run: ``python -m benchmarks.kill_resume [--kills 50] [--seed 0] [--pixels 24]``. Each trial starts the command, waits
for a random number of finished shards (0 to all but one) and then for a random fraction of the time that a shard takes,
kills the process with SIGKILL, and runs the same command again. So the moments spread over the whole run however busy
the machine is. Met if every file of every trial has the bytes of the uninterrupted run and nothing else is left in the
folder. Every fifth trial uses two worker processes; the uninterrupted run that is compared uses one. The exit status is
0 if all trials agree.
"""

from __future__ import annotations

import argparse
import collections
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def command(out: Path, pixels: int, workers: int) -> list[str]:
    """The command of all runs: six shards, and a few seconds of work."""
    counts = ["--train", "300", "--validation", "60", "--test", "60"]
    grid = [f"--settings.pixels={pixels}", f"--settings.pixel_scale={3.2 / pixels}"]
    simulate = [sys.executable, "-m", "steerable.run.cli", "simulate", "lensing", "--out", str(out)]
    return [*simulate, *counts, *grid, "--workers", str(workers)]


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below `folder` with its bytes, and every folder."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def finished(out: Path) -> int:
    """Shards that an unfinished run has made."""
    return len(list(out.parent.glob(f"{out.name}.partial/done/*/*.json")))


def begin(words: list[str], out: Path, shards: int = 0) -> subprocess.Popen[bytes]:
    """Start a run and wait until it writes and has made `shards`."""
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    partial = out.with_name(out.name + ".partial")
    while not (partial.exists() and finished(out) >= shards) and not out.exists():
        if child.poll() is not None:
            raise RuntimeError(f"{words} ended with {child.returncode}: {child.communicate()[1].decode()[-400:]}")
        time.sleep(0.002)
    return child


def finish(words: list[str]) -> str:
    """Run to the end and return what it says."""
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{words} ended with {done.returncode}: {done.stderr[-400:]}")
    return done.stdout


def main() -> int:
    """Print one line a trial, and the figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_resume", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pixels", type=int, default=24)
    args = parser.parse_args()
    draw, states, same, killed = random.Random(args.seed), collections.Counter(), 0, 0
    with tempfile.TemporaryDirectory(prefix="kill_resume.") as name:
        root = Path(name)
        span = {}
        for workers in (1, 2):
            out = root / f"straight{workers}" / "set"
            child = begin(command(out, args.pixels, workers), out)
            start = time.perf_counter()
            child.communicate()
            span[workers] = time.perf_counter() - start
        expected = tree(root / "straight1")
        shards = sum(path.endswith(".parquet") for path in expected)
        if tree(root / "straight2") != expected:
            raise RuntimeError(f"one and two workers differ in {sorted(expected)}")
        print(f"uninterrupted: {shards} shards, {span[1]:.1f} s, {span[2]:.1f} s with two workers, same bytes")
        while killed < args.kills:
            workers = 2 if killed % 5 == 4 else 1
            out = root / f"trial{killed}" / "set"
            words = command(out, args.pixels, workers)
            child = begin(words, out, draw.randrange(shards))
            moment = draw.uniform(0.0, span[1] / shards)
            time.sleep(moment)
            child.kill()
            child.communicate()
            if child.returncode == 0:  # it was faster than the uninterrupted run: no kill
                shutil.rmtree(out.parent)
                continue
            done = finished(out)
            temporary = len(list(out.parent.rglob("*.tmp")))
            text = finish(words)
            agrees = tree(out.parent) == expected
            states[done] += 1
            same, killed = same + agrees, killed + 1
            word = next((line for line in text.splitlines() if line.startswith("continuing")), "begun anew")
            print(f"{killed:3d}: {workers} worker(s), killed with {done} shards and {temporary} "
                  f"temporary files; {word}; {'same bytes' if agrees else 'DIFFERENT'}", flush=True)  # fmt: skip
            shutil.rmtree(out.parent)
    print(f"the same bytes: {same} of {killed}; finished shards when killed: {dict(sorted(states.items()))}")
    return 0 if same == killed else 1


if __name__ == "__main__":
    raise SystemExit(main())
