"""Training, evaluation and the command line: the only folder that imports Lightning."""

from __future__ import annotations
