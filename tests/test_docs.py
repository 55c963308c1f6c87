"""Every public name stands in the reference, and every page in a table of contents."""

import fnmatch
import importlib
import inspect
import re
from pathlib import Path

import pytest
from tests.snippets import blocks, run_page

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = {
    "groups": "steerable.groups",
    "fields": "steerable.fields",
    "domains": "steerable.domains",
    "spectral": "steerable.domains.spectral",
    "kernels": "steerable.kernels",
    "nn": "steerable.nn",
    "models": "steerable.models",
    "quant": "steerable.quant",
    "laws": "steerable.laws",
    "lensing": "steerable.tasks.lensing",
    "floor": "steerable.tasks.floor",
    "lensing_macro": "steerable.tasks.lensing.macro",
    "galaxies": "steerable.tasks.galaxies",
    "volumes": "steerable.tasks.volumes",
    "shapes": "steerable.tasks.shapes",
    "particles": "steerable.tasks.particles",
    "molecules": "steerable.tasks.molecules",
    "panoramas": "steerable.tasks.panoramas",
    "sky": "steerable.tasks.sky",
    "cmb": "steerable.tasks.cmb",
    "poses": "steerable.tasks.poses",
    "data": "steerable.data",
    "known": "steerable.data.known",
    "shards": "steerable.data.shards",
    "answer": "steerable.run.answer",
    "hub": "steerable.run.hub",
}


def public(module: str) -> set[str]:
    """Names that a module offers: classes and functions, cached ones too."""
    if module.startswith("steerable.tasks"):
        pytest.importorskip("astropy")
    found = importlib.import_module(module)
    names = getattr(found, "__all__", None) or [n for n in vars(found) if not n.startswith("_")]
    objects = {n: getattr(found, n) for n in names}
    return {
        n for n, o in objects.items()
        if callable(o) and getattr(inspect.unwrap(o), "__module__", "").startswith("steerable")
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_reference_is_complete(page: str) -> None:
    text = (DOCS / "api" / f"{page}.rst").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   (\w+)$", text, re.MULTILINE))
    missing, gone = public(PAGES[page]) - listed, listed - public(PAGES[page])
    assert not missing, f"docs/api/{page}.rst lacks {sorted(missing)}"
    assert not gone, f"docs/api/{page}.rst lists {sorted(gone)}, which {PAGES[page]} does not offer"


def test_layers_page_names_every_layer() -> None:
    text = (DOCS / "layers.md").read_text(encoding="utf-8")
    missing = sorted(n for n in public("steerable.nn") if f"nn.{n}`" not in text)
    assert not missing, f"docs/layers.md does not mention {missing}"


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = "\n".join(p.read_text(encoding="utf-8") for p in DOCS.rglob("index.md")).splitlines()
    missing = [p.stem for p in DOCS.glob("*.md")
               if p.stem != "index" and not any(fnmatch.fnmatch(p.stem, line) for line in listed)]  # fmt: skip
    assert not missing, f"no table of contents lists {missing}"


@pytest.mark.parametrize("page", [p for p in sorted(DOCS.glob("*.md")) if blocks(p)], ids=lambda p: p.stem)
def test_python_blocks_print_what_is_shown(page: Path) -> None:
    for package in {"lensing": ("astropy",), "hub": ("huggingface_hub",), "microscopy": ("tifffile",)}.get(
        page.stem, ()
    ):
        pytest.importorskip(package)
    run_page(page)
