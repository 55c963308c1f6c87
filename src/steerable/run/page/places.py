"""The report on the sphere, and of answers at every place: what was seen, the truth, the answer and what is wrong."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import Samples, Splits
from steerable.data.checks import field_type
from steerable.run.dense import mean_iou, place_counts
from steerable.run.domains.sphere import answer_type, sphere_of
from steerable.run.outputs import write_text
from steerable.run.page.grid_pictures import grid_pictures
from steerable.run.page.map_pictures import Panel, limits, map_pictures
from steerable.run.page.parts import document, picture
from steerable.run.page.pictures import learning_picture
from steerable.run.page.seen import as_given
from steerable.run.scores import predict
from steerable.run.tables import columns_of, number

FILE, SHOWN = "report.html", 3
#: domain: the heading of its pictures, and how they are to be read
READ = {
    "sphere": (
        "Maps",
        "Mollweide's projection: equal areas. North is up, longitude 0 in the middle, east to the right. Grey: no "
        "value is known.",
    ),
    "plane": ("Images", "As the pixels lie, row 0 at the top. Grey: no class is known."),
    "volume": ("Volumes", "Slices through most of what is not background, x3 or x2 upwards. Grey: no class is known."),
}


def write_places(folder: Path, model: nn.Module, data: Splits, record: dict[str, Any]) -> None:
    """Write ``report.html`` into the folder of such a run, on its validation part, not on test.

    Args:
        folder: of the run.
        model: what answers, in the unit of the target.
        data: its samples.
        record: of the run.
    """
    few = data.val.subset(range(min(SHOWN, len(data.val))))
    answers = predict(model, few.x)
    write_text(folder / FILE, places_text(folder, answers, few, record))


def places_text(folder: Path, answers: Tensor, few: Samples, record: dict[str, Any]) -> str:
    """Return the page.

    Args:
        folder: of the run, for its log.
        answers: to `few`, ``[N, K]`` or ``[N, K, *shape]``.
        few: some samples of the validation part.
        record: of the run.
    """
    model, validation = record["config"]["model"], record["validation"]
    name = f"{model['name']} {model['group'] or ''}".strip()
    heading, story = READ[few.domain]
    shown = few.x
    if few.sampling and isinstance(few.x, Tensor):
        shown, said = as_given(few.x, record)
        story = f"{story} {said}"
    sampled = f", sampled on {html.escape(few.sampling)}" if few.sampling else ""
    parts = [
        f"<h1>{html.escape(name)} on {html.escape(few.source)}</h1>",
        f"<p>{record['parameters']:,} parameters, seed {record['seed']}{sampled}; "
        f"best epoch {validation['best_epoch']} of {validation['epochs']}.</p>",
        "<h2>Figures on the validation part</h2>",
        figures(record),
        f"<h2>{heading}</h2>",
        f"<p>{story}</p>",
    ]
    for k in range(len(few)):
        title = few.ids[k] if few.ids else f"validation sample {k}"
        parts.append(f"<h3>{html.escape(title)}</h3>")
        drawn = rows(few, shown[k], answers, k)  # type: ignore[arg-type]
        png = map_pictures(drawn, sphere_of(few)) if few.sampling else grid_pictures(drawn)
        parts.append(picture(png, f"{heading} of {title}", caption(few, answers, k)))
    learning = learning_picture(folder, int(validation["best_epoch"]))
    if learning is not None:
        parts += [
            "<h2>How it learned</h2>",
            picture(learning, "Losses against the epoch", "Validation chose the epoch."),
        ]
    return document(name, parts)


def figures(record: dict[str, Any]) -> str:
    """Return the table of the figures of validation that the run has, beside both floors."""
    validation = record["validation"]
    columns = columns_of(record)
    keys = [(k, h) for k, h in zip(columns.keys, columns.heads, strict=True) if f"val_{k}" in validation]
    head = "".join(f"<th>{h}</th>" for _, h in keys)
    lines = [("network", {k: validation[f"val_{k}"] for k, _ in keys})]
    lines += [(f"floor: {f}", validation["floors"][f]) for f in ("constant", "linear")]
    body = "".join(
        f"<tr><td>{name}</td>{''.join(f'<td>{number(float(v[k]))}</td>' for k, _ in keys)}</tr>" for name, v in lines
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def rows(few: Samples, x: Tensor, answers: Tensor, k: int) -> list[list[Panel]]:
    """Return the panels of sample k: what it saw, x ``[C, *shape]``, then truth, answer and difference everywhere."""
    if few.domain == "plane" and len(x) == 3:
        low, high = limits([x])
        seen = [Panel("seen", (x.movedim(0, -1) - low) / (high - low))]
    else:
        seen = [
            replace(panel, title=f"seen: {panel.title}", scale=f"seen{i}")
            for i, panel in enumerate(panels(x, few.type, (), few))
        ]
    found = [seen[i : i + 3] for i in range(0, min(len(seen), 6), 3)]
    if few.regions:
        labels = few.y[k].double()
        truth = torch.where(labels < 0, torch.nan, labels)
        guess = answers[k].argmax(0).double()
        wrong = torch.where(labels < 0, torch.nan, (guess != labels).double())
        names = few.classes
        found.append([
            Panel("truth", truth, names=names), Panel("answer", guess, names=names),
            Panel("wrong", wrong, names=("right", "wrong")),
        ])  # fmt: skip
    elif few.dense and few.target is not None:
        parts = [
            panels(v, few.target.type, few.target.names, few) for v in (few.y[k], answers[k], answers[k] - few.y[k])
        ]
        unit = few.target.unit
        for j, (truth, answer, error) in enumerate(zip(*parts, strict=True)):
            longest = max(_longest(truth), _longest(answer))  # one scale of arrows for all three
            found.append([
                replace(truth, title=f"truth: {truth.title}", scale=f"t{j}", unit=unit, longest=longest),
                replace(answer, title="answer", scale=f"t{j}", unit=unit, longest=longest),
                replace(error, title="difference", scale=f"d{j}", unit=unit, longest=longest),
            ])  # fmt: skip
    return found


def panels(x: Tensor, text: str, names: tuple[str, ...], few: Samples) -> list[Panel]:
    """Return what is drawn of fields ``[C, *shape]``: scalars and lengths, arrows of spin 1, rods of spin 2."""
    found, start = [], 0
    for rep in field_type(text, len(x), few.source).fields:
        part = x[start : start + rep.size].double()
        title = ", ".join(names[start : start + rep.size]) or f"channel {start}"
        spin = {("1",): 1, ("2",): 2}.get(tuple(rep.irreps), 0)
        value = part[0] if rep.is_trivial else part.norm(dim=0)
        found.append(Panel(title, value, part if spin else None, length=not rep.is_trivial, spin=spin))
        start += rep.size
    return found


def _longest(panel: Panel) -> float:
    known = panel.value[torch.isfinite(panel.value)] if panel.arrows is not None else panel.value[:0]
    return float(known.max()) if known.numel() else 0.0


def caption(few: Samples, answers: Tensor, k: int) -> str:
    """Return what stands below the maps of one sample."""
    if few.regions:
        counts = place_counts(answers[k : k + 1], few.y[k : k + 1])
        scored = f" Mean IoU of this sample, by places: {mean_iou(counts):.3f}." if counts.any() else ""
        return f"Classes: {', '.join(few.classes)}.{scored}"
    if few.dense:
        spins = any(not r.is_trivial for r in answer_type(few).fields)
        return f"{few.target}." + (
            " Of vectors the length, with arrows of spin 1 and rods of spin 2, of one scale." if spins else ""
        )
    if few.target is None:
        share = answers[k].double().softmax(0)
        best = int(share.argmax())
        return f"Answer: {few.classes[best]} ({100 * float(share[best]):.0f} %); true: {few.classes[int(few.y[k])]}."
    return f"{few.target}: answer {answers[k].tolist()}, true {few.y[k].tolist()}."
