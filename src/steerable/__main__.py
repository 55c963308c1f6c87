"""``python -m steerable``: the same command as ``steerable``."""

from __future__ import annotations

from steerable.run.cli import entry

if __name__ == "__main__":
    entry()
