"""Building layers and models: warm (the second of its kind in a process) and cold (the first)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from benchmarks.harness import Entry, Fresh, Timed, first_call
from benchmarks.timing import Thunk

# (label, group, fields, channels, kernel sizes, peer measures these kernel sizes)
LAYERS = (
    ("c8", 16, 128, (3, 5, 7)),
    ("c8", 32, 256, (5,)),
    ("c8", 64, 512, (5,)),
    ("d8", 8, 128, (3, 5)),
    ("d8", 16, 256, (3, 5, 7)),
    ("d8", 32, 512, (5,)),
    ("so2", 16, 112, (3, 5, 7)),
    ("so2", 32, 224, (5,)),
    ("so2", 64, 448, (5,)),
)
COLD = (("c8", 16, 128, 3), ("d8", 16, 256, 3), ("so2", 16, 112, 3))
TITLES = {"c8": "C8 regular", "d8": "D8 regular", "so2": "SO(2) band-limit 3"}


def field_type(label: str, fields: int) -> Any:
    """The type of ``fields`` regular (or band-limited regular) fields of the group named ``label``."""
    import steerable as st

    if label == "so2":
        return fields * st.SO2().spectral_regular(3)
    return fields * {"c8": st.C, "d8": st.D}[label](8).regular


def _layer(label: str, fields: int, kernel_size: int) -> Callable[[Any], Thunk]:
    """Build of one steerable layer whose type exists."""

    def run(_: Any) -> Thunk:
        import steerable as st

        t = field_type(label, fields)
        return lambda: st.nn.Conv2d(t, t, kernel_size=kernel_size, padding=kernel_size // 2)

    return run


def _plain(channels: int, kernel_size: int) -> Callable[[Any], Thunk]:
    return lambda _: lambda: nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2)


def _goal(channels: int) -> float:
    return 1.0 if channels >= 256 else 2.0


def _layers() -> list[Entry]:
    found: list[Entry] = []
    for label, fields, channels, sizes in LAYERS:
        for k in sizes:
            name = f"{label}_{fields}f_k{k}"
            found.append(
                Timed(
                    f"build/{name}",
                    f"build Conv2d {TITLES[label]}, {fields} fields ({channels} ch), k{k}",
                    goal=_goal(channels),
                    peer=f"build_{name}",
                    setup=lambda: None,
                    run=_layer(label, fields, k),
                    reference=_plain(channels, k),
                )
            )
    for label, fields, channels, k in COLD:
        found.append(
            Fresh(
                f"build/cold_{label}_{fields}f_k{k}",
                f"first build in a process, group included: {TITLES[label]}, {fields} fields ({channels} ch), k{k}",
                goal=_goal(channels),
                peer=f"cold_{label}_{fields}f_k{k}",
                reference=first_call("", "", f"torch.nn.Conv2d({channels}, {channels}, {k}, padding={k // 2})"),
                run=first_call(
                    "import steerable as st",
                    "from benchmarks.entries.build import field_type",
                    f"t = field_type({label!r}, {fields}); st.nn.Conv2d(t, t, kernel_size={k}, padding={k // 2})",
                ),
                notes="new interpreters, the import not counted; the peer's disk cache is warm",
            )
        )
    return found


def _wide(kernel_size: int, *, plain: bool) -> Callable[[Any], Thunk]:
    def make(_: Any) -> Thunk:
        import steerable as st

        common = {"in_channels": 3, "num_classes": 10, "kernel_size": kernel_size}
        if plain:
            return lambda: st.create_model("wrn16_4_plain", **common)
        return lambda: st.create_model("wrn16_4", groups="C8", match="channels", **common)

    return make


def _wide_entry(kernel_size: int) -> Timed:
    return Timed(
        f"build/wrn16_4_k{kernel_size}",
        f"build WRN-16-4 C8 / plain twin, same channels (64/128/256), k{kernel_size}",
        goal=1.5,
        peer=f"build_wrn16_4_k{kernel_size}",
        setup=lambda: None,
        run=_wide(kernel_size, plain=False),
        reference=_wide(kernel_size, plain=True),
    )


ENTRIES = (*_layers(), _wide_entry(3), _wide_entry(5))
