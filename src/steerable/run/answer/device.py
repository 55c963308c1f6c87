"""Where a network runs."""

from __future__ import annotations

import torch

from steerable.data.errors import InputError


def find_device(name: str, key: str = "--device") -> str:
    """Return the device of torch for ``cpu``, ``gpu`` or ``auto``.

    Args:
        name: one of these.
        key: what said so, for the message.

    Raises:
        InputError: a gpu was asked for and there is none.
    """
    gpu = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
    if name == "gpu" and gpu is None:
        raise InputError(f"{key} {name}: torch {torch.__version__} finds none here; expected cpu or auto.")
    return gpu if gpu is not None and name != "cpu" else "cpu"
