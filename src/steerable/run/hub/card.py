"""The page of a model on the hub: what it does, how well, how exact, under which licence."""

from __future__ import annotations

from typing import Any

from steerable.run.store import meaning, recipe
from steerable.run.tables import number

FIGURES = {"accuracy": "accuracy", "auc": "AUC", "mae": "MAE", "rmse": "RMSE", "bias": "bias"}


def figures_table(record: dict[str, Any], test: dict[str, Any] | None) -> str:
    """Return a Markdown table: the network and its floors on the validation part, and on the test part if scored."""
    found = record.get("validation") or {}
    floors = found.get("floors") or {}
    parts: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    if found:
        parts.append(("validation", {k: found.get(f"val_{k}") for k in FIGURES}, floors))
    if test:
        parts.append(("test", test, test.get("floors") or {}))
    rows = []
    for part, own, below in parts:
        for key, name in FIGURES.items():
            if isinstance(own.get(key), (int, float)):
                cells = [own[key], *((below.get(f) or {}).get(key) for f in ("constant", "linear"))]
                shown = [number(float(c)) if isinstance(c, (int, float)) else "-" for c in cells]
                rows.append(f"| {part}: {name} | " + " | ".join(shown) + " |")
    if not rows:
        return "No figures: this network was not trained by `steerable fit`."
    head = ["| figure | network | floor: constant | floor: linear |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def card_text(record: dict[str, Any], test: dict[str, Any] | None, exactness: str, license: str | None, name: str) -> str:
    """Return the page as Markdown, with its YAML head.

    Args:
        record: of the run.
        test: `evaluation.json` of the run, where there is one.
        exactness: what was measured of the symmetry, one line.
        license: of the weights, an identifier of the hub such as ``cc-by-4.0``; None: not stated.
        name: USER/NAME of the hub, or a folder, for the lines of code.
    """
    config = record["config"]["model"]
    what = meaning(record)
    if isinstance(what, tuple):
        tag, task = "image-classification", f"classification into {len(what)} classes: {', '.join(what)}"
        answer = "probabilities"
    else:
        tag, task, answer = "image-feature-extraction", f"regression of {what}", "values"
    h, w = record["raw_size"]
    yaml = ["library_name: steerable", f"pipeline_tag: {tag}" if isinstance(what, tuple) else "", "tags:",
            "- steerable", "- equivariance", "- pytorch_model_hub_mixin"]  # fmt: skip
    head = [line for line in ["---", f"license: {license}" if license else "", *yaml, "---"] if line]
    licence = license or "not stated by its author: ask before you use the weights"
    versions = ", ".join(f"{k} {v}" for k, v in record["versions"].items())
    return "\n".join(head) + f"""

# {name}

A `{config["name"]}`{f" with the symmetry {config['group']}" if config["group"] else ""}, {record["parameters"]:,}
parameters, trained by [steerable](https://pypi.org/project/steerable/).

- **Task**: {task}.
- **Input**: {record["in_channels"]} channel{"s" * (record["in_channels"] > 1)} of {h} x {w} pixels ({record["input"]});
  then: {recipe(record)}.
- **Exactness**: {exactness}
- **Licence** of the weights: {licence}.
- **Written with**: {versions}.

## Figures

{figures_table(record, test)}

## Use

```python
import steerable

model = steerable.from_pretrained("{name}")
{answer} = model.answer(images)  # raw images [N, {record["in_channels"]}, {h}, {w}]
```

    steerable predict hf://{name} IMAGES --out catalogue.parquet

Weights are safetensors, everything else is JSON: loading runs no code of the repository.
"""
