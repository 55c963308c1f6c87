"""The rules of the house hold in every file, and each rule catches a planted fault."""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
house = importlib.util.module_from_spec(spec)
spec.loader.exec_module(house)

SOURCE = Path(__file__).parents[1] / "src" / "steerable"
FILES = sorted(SOURCE.rglob("*.py"))
NAMES = [str(f.relative_to(SOURCE)) for f in FILES]


def folder(name: str) -> str:
    """The first folder of a file below src/steerable, or an empty string for those on top."""
    return name.split("/")[0] if "/" in name else ""


def faults(name: str, text: str) -> list[str]:
    """Every rule on one file."""
    found = house.length_faults(text) + house.docstring_faults(text) + house.raise_faults(text)
    found += house.future_faults(text)
    where = folder(name)
    if where:
        found += house.order_faults(text, name)
    if where != "run":
        found += house.print_faults(text)
    if where != "laws":
        found += house.assert_faults(text)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_file_keeps_the_rules(name):
    assert faults(name, (SOURCE / name).read_text(encoding="utf-8")) == []


def test_every_folder_is_known():
    known = {*house.ORDER, *house.APART, ""}
    assert {folder(n) for n in NAMES} <= known


def test_files_are_small_on_the_whole():
    lengths = sorted(len(f.read_text(encoding="utf-8").splitlines()) for f in FILES)
    assert lengths[len(lengths) // 2] <= 150


GOOD = '''"""A file."""
from __future__ import annotations
from steerable.groups import Group


def order(g: Group) -> int:
    """Return the order."""
    if g.order is None:
        raise ValueError(f"order: {g} is infinite; expected a finite group. Use C(n).")
    return g.order
'''

PLANTED = {
    "too long": ("fields/a.py", GOOD + "\n" * 400),
    "against the order": ("groups/a.py", GOOD.replace("steerable.groups", "steerable.nn.module")),
    "against the order, inside a function": ("groups/a.py", GOOD + "\n\ndef _f():\n    import steerable.nn.conv\n"),
    "against the order, by attribute": ("kernels/a.py", GOOD + "import steerable as st\n_x = st.nn\n"),
    "against the order, relative": ("kernels/a.py", GOOD + "from ..nn import Conv2d\n"),
    "a name from the top": ("tasks/a.py", GOOD + "def _f():\n    from steerable import create_model\n"),
    "from the top": ("groups/a.py", GOOD + "from steerable import nn\n"),
    "laws below tasks": ("models/a.py", GOOD + "from steerable.laws import check\n"),
    "laws above models": ("laws/a.py", GOOD + "from steerable.tasks import lensing\n"),
    "lightning outside run": ("tasks/a.py", GOOD + "def _f():\n    import lightning.pytorch\n"),
    "no docstring": ("nn/a.py", GOOD.replace('    """Return the order."""\n', "")),
    "no docstring on a method": ("nn/a.py", GOOD + 'class A:\n    """A."""\n    def f(self): ...\n'),
    "no docstring on the file": ("nn/a.py", GOOD.replace('"""A file."""\n', "")),
    "print": ("nn/a.py", GOOD + "print(1)\n"),
    "assert": ("nn/a.py", GOOD + "assert GOOD\n"),
    "a fixed text": ("nn/a.py", GOOD.replace('f"order: {g} is infinite; expected a finite group. Use C(n)."', '"no"')),
    "no text": ("nn/a.py", GOOD.replace('(f"order: {g} is infinite; expected a finite group. Use C(n).")', "()")),
    "no future": ("nn/a.py", GOOD.replace("from __future__ import annotations\n", "")),
}


def test_a_good_file_passes():
    assert faults("nn/a.py", GOOD) == []
    assert faults("run/a.py", GOOD + "print(1)\nimport lightning\n") == []
    assert faults("laws/a.py", GOOD + "assert GOOD\n") == []


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_caught(fault):
    assert len(faults(*PLANTED[fault])) >= 1


LOADED = """
import json, sys
{}
print(json.dumps(sorted({{m.split(".")[0] for m in sys.modules}} - set(sys.stdlib_module_names))))
"""


@functools.cache
def loaded(code: str) -> set[str]:
    """Top-level packages outside the standard library that a fresh interpreter holds after `code`."""
    out = subprocess.run([sys.executable, "-c", LOADED.format(code)], capture_output=True, text=True, check=True)
    return set(json.loads(out.stdout.splitlines()[-1]))


def test_import_loads_torch_and_numpy_only():
    allowed = loaded("import numpy, torch") | {"steerable"}
    assert loaded("import steerable") - allowed == set()


def test_the_import_check_sees_a_heavy_import():
    assert "hypothesis" in loaded("import steerable, hypothesis") - loaded("import numpy, torch")


def test_the_readers_and_the_command_line_load_no_trainer():
    extra = loaded("import steerable.data, steerable.run.cli") - loaded("import numpy, torch") - {"steerable"}
    assert extra == set()
