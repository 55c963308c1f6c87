"""Trained networks on the Hugging Face hub: a run's own two files, a config and a card. Needs the extra ``[hub]``."""

from __future__ import annotations

from typing import Any

from steerable.run.hub.api import create_pretrained as create_pretrained
from steerable.run.hub.api import from_pretrained as from_pretrained
from steerable.run.hub.api import push_to_hub as push_to_hub
from steerable.run.hub.api import save_pretrained as save_pretrained


def __getattr__(name: str) -> Any:
    """Load the class when it is first named: its base belongs to huggingface_hub."""
    if name == "Pretrained":
        from steerable.run.hub.pretrained import Pretrained

        return Pretrained
    raise AttributeError(f"module 'steerable.run.hub' has no attribute {name!r}")
