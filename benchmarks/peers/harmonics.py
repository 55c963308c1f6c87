"""torch-harmonics in a folder of its own, ``.venv-peers-sphere`` (``make bench-peers``): its wheel pins another torch.

It is put on the path of the measuring process only where it is there, so that both libraries are timed in one process.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(os.environ.get("STEERABLE_TORCH_HARMONICS", Path(__file__).resolve().parents[2] / ".venv-peers-sphere"))


def has_torch_harmonics() -> bool:
    """Whether it can be imported."""
    if FOLDER.is_dir() and str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return find_spec("torch_harmonics") is not None
