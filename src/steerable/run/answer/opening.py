"""From a path to what answers."""

from __future__ import annotations

from pathlib import Path

from steerable.data.errors import InputError
from steerable.run.answer.answerer import Answerer
from steerable.run.answer.device import find_device
from steerable.run.answer.folder import Folder
from steerable.run.answer.onnx_file import OnnxFile
from steerable.run.answer.program import Program

WHAT = "a folder of `steerable fit`, a .pt2 or .onnx file of `steerable export`, or hf://USER/NAME"
HUB = "hf://"


def is_exported(path: str | Path) -> bool:
    """Return whether a path has the name of an exported file."""
    return Path(path).suffix.lower() in (".pt2", ".onnx") and not Path(path).is_dir()


def open_answerer(path: str | Path, device: str = "cpu") -> Answerer:
    """Open a folder of `steerable fit`, or a file of `steerable export`.

    Args:
        path: the folder or the file, or ``hf://USER/NAME`` for a model of the hub.
        device: ``cpu``, ``gpu`` or ``auto``; ``auto`` runs ONNX files on the CPU.

    Raises:
        InputError: none of these, or what the kind of file refuses.
    """
    if str(path).startswith(HUB):
        from steerable.run.hub.pretrained import fetch

        found = Folder.load(fetch(str(path).removeprefix(HUB)), find_device(device))
        found.source = Path(path)
        return found
    path = Path(path)
    if path.is_dir() or not path.suffix:
        return Folder.load(path, find_device(device))
    if path.suffix.lower() == ".pt2":
        return Program.load(path, find_device(device))
    if path.suffix.lower() == ".onnx":
        return OnnxFile.load(path, find_device("cpu" if device == "auto" else device))
    raise InputError(f"'{path}' ends in '{path.suffix}'; expected {WHAT}. Mend the path.")
