"""How the pages are built: `make docs`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "steerable"
author = "The steerable authors"
copyright = author
release = re.search(r'__version__ = "(.+)"', (ROOT / "src/steerable/__init__.py").read_text(encoding="utf-8"))[1]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.zip", "gallery/*.py", "gallery/*.md5"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

# Docstrings: Google style, plain text; arguments are documented where they stand, types come from the annotations.
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_ivar = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": "extra_repr"}
autodoc_class_signature = "mixed"
autosummary_generate = True
autosummary_imported_members = True
python_use_unqualified_type_names = True
toc_object_entries = False


def fresh(gallery_conf: object, file: str) -> None:
    """Every script begins with the defaults of torch: all run in one process."""
    import torch

    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)


sphinx_gallery_conf = {
    "examples_dirs": [str(ROOT / "examples")],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"/\d\d_",
    "within_subsection_order": "FileNameSortKey",
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "plot_gallery": os.environ.get("STEERABLE_GALLERY", "1") != "0",
    "abort_on_example_error": True,
    "default_thumb_file": str(ROOT / "docs" / "pictures" / "kernel.png"),
    "min_reported_time": 1000,
    "reference_url": {},
    "reset_modules": ("matplotlib", fresh),
}
suppress_warnings = ["config.cache"]

html_theme = "pydata_sphinx_theme"
html_title = "steerable"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "navbar_center": [],
    "logo": {"text": "steerable"},
}
html_sidebars = {"**": ["globaltoc.html"]}
html_static_path = ["_static"]
html_css_files = ["steerable.css"]
html_show_sourcelink = False
templates_path = ["_templates"]


def mask_text(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Escape what plain text means literally: bars and stars outside of double backticks are no markup."""
    for i, line in enumerate(lines):
        parts = re.split(r"(``.*?``)", line)
        lines[i] = "".join(p if p.startswith("``") else re.sub(r"(?<!\\)\|", r"\\|", p) for p in parts)


def setup(app: object) -> None:
    """Register the escape after napoleon has run."""
    app.connect("autodoc-process-docstring", mask_text, priority=900)
