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


def card_text(
    record: dict[str, Any], test: dict[str, Any] | None, exactness: str, license: str | None, name: str
) -> str:
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
    is_class = isinstance(what, tuple)
    task = f"classification into {len(what)} classes: {', '.join(what)}" if is_class else f"regression of {what}"
    h, w = record["raw_size"]
    c = record["in_channels"]
    head = [
        *([f"license: {license}"] if license else []),
        "library_name: steerable",
        *(["pipeline_tag: image-classification"] if is_class else []),
        *("tags:", "- steerable", "- equivariance", "- pytorch_model_hub_mixin"),
    ]
    symmetry = f" with the symmetry {config['group']}" if config["group"] else ""
    place = f"hf://{name}" if "/" in name else name
    return (
        "\n".join(["---", *head, "---"])
        + f"""

# {name}

A `{config["name"]}`{symmetry} of {record["parameters"]:,} parameters, trained with `steerable`.

- **Task**: {task}.
- **Input**: {record["input"]}, {c} channel{"s" * (c > 1)} of {h} x {w}; first: {recipe(record)}.
- **Exactness**: {exactness}
- **Licence** of the weights: {license or "not stated by their author: ask before you use them"}.
- **Written with**: {", ".join(f"{k} {v}" for k, v in record["versions"].items())}.

## Figures

{figures_table(record, test)}

## Use

```python
import steerable

model = steerable.from_pretrained("{name}")
{"probabilities" if is_class else "values"} = model.answer(images)  # raw images [N, {c}, {h}, {w}]
```

    steerable predict {place} IMAGES --out catalogue.parquet

Weights are safetensors, everything else is JSON: loading runs no code of the repository.
"""
    )
