"""Groups of space: building layers of volumes and points, harmonics, exactness under the rotations of the cube."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.harness import Entry, Fresh, Timed, Value, first_call
from benchmarks.timing import Thunk

# label: (what makes the type, number of channels); the text is what new interpreters run
TYPES = {
    "so3": ("4 * st.SO3().spectral_regular(2)", 140),
    "o3": ("4 * st.O3().spectral_regular(2)", 280),
    "octahedral": ("4 * st.groups.octahedral().regular", 96),
    "icosahedral": ("4 * st.groups.icosahedral().regular", 240),
}
GOALS = {"so3": 2.0}


def _type(label: str) -> Any:
    import steerable as st

    if label in ("so3", "o3"):
        return 4 * {"so3": st.SO3, "o3": st.O3}[label]().spectral_regular(2)
    return 4 * getattr(st.groups, label)().regular


def _layer(label: str) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        import steerable as st

        t = _type(label)
        return lambda: st.nn.Conv3d(t, t, 5)

    return run


def _plain(channels: int) -> Callable[[Any], Thunk]:
    return lambda _: lambda: nn.Conv3d(channels, channels, 5)


def _builds() -> list[Entry]:
    found: list[Entry] = []
    for label, (text, channels) in TYPES.items():
        found.append(
            Timed(
                f"space/build_{label}",
                f"build Conv3d {label}, {channels} ch, k5 / plain",
                goal=GOALS.get(label),
                setup=lambda: None,
                run=_layer(label),
                reference=_plain(channels),
            )
        )
        found.append(
            Fresh(
                f"space/cold_{label}",
                f"first build in a process, group included: Conv3d {label}, {channels} ch, k5 / plain",
                goal=GOALS.get(label),
                reference=first_call("", "", f"torch.nn.Conv3d({channels}, {channels}, 5)"),
                run=first_call("import steerable as st", "", f"t = {text}; st.nn.Conv3d(t, t, 5)"),
                notes="new interpreters, the import not counted",
            )
        )
    return found


def _seconds(text: str) -> float:
    """Seconds of a first build in a new interpreter, the import not counted; the median of five."""
    import subprocess
    import sys

    program = (
        "import time, torch, steerable as st; torch.set_num_threads(1); torch.nn.Conv3d(2, 2, 3); "
        f"a = time.perf_counter(); {text}; print(time.perf_counter() - a)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in range(5)
    ]
    return sorted(float(r.stdout.split()[-1]) for r in runs)[2]


def _megabytes(text: str) -> float:
    """Growth of the largest memory of a process by a first build."""
    import subprocess
    import sys

    program = (
        "import resource, torch, steerable as st; torch.set_num_threads(1); torch.nn.Conv3d(2, 2, 3); "
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024; "
        f"a = peak(); {text}; print(peak() - a)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return float(out.split()[-1])


def _build_text(label: str) -> str:
    return f"t = {TYPES[label][0]}; st.nn.Conv3d(t, t, 5)"


POINT = "st.nn.PointConv(st.SO3().type('32x0 + 16x1 + 8x2 + 4x3'), st.SO3().type('32x0 + 16x1 + 8x2 + 4x3'), 5.0)"


def cube_error(group: str) -> float:
    """Largest relative error of a network of volumes over the rotations of the cube, float64."""
    import steerable as st

    torch.manual_seed(0)
    model = st.create_model("volume_cnn", group=group).double().eval()
    x = torch.randn(1, 1, 9, 9, 9, dtype=torch.float64)
    return float(st.laws.equivariance_error(model, x).max())


ENTRIES: tuple[Entry, ...] = (
    *_builds(),
    Value(
        "space/icosahedral_seconds",
        "first build of an icosahedral Conv3d, 4 regular fields, k5, group included, seconds",
        goal=0.2,
        compute=lambda: _seconds(_build_text("icosahedral")),
    ),
    Value(
        "space/icosahedral_memory",
        "the same, growth of the largest memory, MB",
        goal=100.0,
        compute=lambda: _megabytes(_build_text("icosahedral")),
    ),
    Value(
        "space/so3_memory", "the same for SO(3), l <= 2, MB", goal=100.0, compute=lambda: _megabytes(_build_text("so3"))
    ),
    Value(
        "space/point_layer_seconds",
        "construction of a PointConv, l <= 3, the second in a process, milliseconds",
        goal=5.0,
        compute=lambda: 1e3 * _seconds(f"{POINT}; a = time.perf_counter(); {POINT}"),
    ),
    *(
        Value(
            f"space/cube_{group}",
            f"rotations of the cube, volume_cnn {group}, float64, relative",
            goal=1e-12,
            compute=lambda group=group: cube_error(group),
        )
        for group in ("SO3", "O3", "O")
    ),
)
