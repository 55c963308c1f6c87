"""The entries, one file a group. Every file has a tuple ``ENTRIES``; this module lists the files."""

from __future__ import annotations

from importlib import import_module

from benchmarks.harness import Entry

GROUPS = (
    "imports",
    "build",
    "step",
    "compiled",
    "baked",
    "activations",
    "pointwise_maps",
    "sampling",
    "memory",
    "exactness",
    "lensing",
    "rotations",
    "mobile",
    "space",
    "points",
    "sphere",
    "sphere_transforms",
)


def all_entries() -> dict[str, Entry]:
    """Return every entry by name, in the order of ``GROUPS``. Raises ValueError if two entries share a name."""
    found: dict[str, Entry] = {}
    for group in GROUPS:
        for entry in import_module(f"benchmarks.entries.{group}").ENTRIES:
            if entry.name in found:
                raise ValueError(
                    f"two benchmark entries are named {entry.name!r}: rename the one in entries/{group}.py"
                )
            found[entry.name] = entry
    return found
