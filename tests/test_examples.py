"""Every gallery script runs to its end; their own assertions keep what they say true."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))
NEEDS = {
    "08_bake_export": ("onnx", "onnxscript", "onnxruntime"),
    "10_lensing": ("astropy",),
    "19_mobile_int8": ("onnx", "onnxruntime"),
    "20_export": ("onnx", "onnxscript", "onnxruntime"),
}


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 11, f"examples/ holds {[s.name for s in SCRIPTS]}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_example(script: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for package in NEEDS.get(script.stem, ()):
        pytest.importorskip(package)
    path = os.pathsep.join(p for p in (str(ROOT / "src"), os.environ.get("PYTHONPATH")) if p)
    env = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, f"{script.name} ended with {run.returncode}:\n{run.stderr[-3000:]}"
    assert "Warning" not in run.stderr or script.stem == "04_how_equivariant", run.stderr[-3000:]
