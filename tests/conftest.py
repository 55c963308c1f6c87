"""Settings that every test shares."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis
import torch

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:  # so that tests can say `from tests.catalogue import ...`
    sys.path.insert(0, str(ROOT))

hypothesis.settings.register_profile(
    "steerable", derandomize=True, deadline=None, database=None, max_examples=30, print_blob=False
)
hypothesis.settings.load_profile("steerable")
torch.set_num_threads(1)
