"""``python -m steerable``: the same command as ``steerable``."""

from steerable.run.cli import entry

if __name__ == "__main__":
    entry()
