"""One command a file; each has ``main(argv) -> int``, imports what it needs when it is called, and prints."""

from __future__ import annotations
