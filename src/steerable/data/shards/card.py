"""The data card: how people, and Hugging Face `datasets`, read the shards."""

from __future__ import annotations

from steerable.data.shards.columns import TEXT, Column
from steerable.data.shards.plan import Plan


def _feature(name: str, column: Column) -> list[str]:
    """The YAML of one column; `datasets` has no word for an Arrow fixed-shape tensor and reads a list of its size."""
    if column.shape:
        return [f"  - name: {name}", f"    list: {column.dtype}", f"    length: {column.size}"]
    return [f"  - name: {name}", f"    dtype: {'string' if column.dtype == TEXT else column.dtype}"]


def card(plan: Plan) -> str:
    """Text of README.md: YAML for ``datasets.load_dataset(folder)``, then a table of the columns and lines of code."""
    files = [f"  - split: {p.replace('-', '_')}\n    path: {p}/*.parquet" for p in plan.parts]
    features = [line for name, column in plan.columns.items() for line in _feature(name, column)]
    front = ["configs:", "- config_name: default", "  data_files:", *files]
    front += ["dataset_info:", "  config_name: default", "  features:", *features]
    shaped = [name for name, column in plan.columns.items() if column.shape]
    part = next(iter(plan.parts))
    example = [
        "    from steerable.data.shards import read_shards",
        f'    columns = read_shards("FOLDER/{part}")               # tensors by name, checked',
        '    datasets.load_dataset("FOLDER")                      # tensors arrive flat: reshape them',
        f'    pandas.read_parquet("FOLDER/{part}")                 # likewise',
        f'    ray.data.read_parquet("FOLDER/{part}")               # tensors keep their shape',
    ]
    lines = ["---", *front, "---", "", plan.description or "A data set of Parquet shards.", ""]
    lines += [f"* {name}: {rows} rows" for name, rows in plan.parts.items()]
    lines += ["", "| column | dtype | shape |", "|---|---|---|"]
    lines += [f"| {n} | {c.dtype} | {list(c.shape) if c.shape else '-'} |" for n, c in plan.columns.items()]
    lines += [
        "",
        *(example if shaped else example[:2]),
        "",
        "manifest.json has seed, parameters, versions, checksums.",
    ]
    return "\n".join(lines) + "\n"
