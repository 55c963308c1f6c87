"""The report page itself."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from steerable.data import Samples, Splits
from steerable.run.outputs import write_text
from steerable.run.page.parts import document, picture
from steerable.run.page.pictures import confusion_picture, learning_picture, reliability_picture, thumbnail
from steerable.run.scores import confusion, predict
from steerable.run.tables import number

FILE = "report.html"
SHOWN, EACH = 180, 6  # images in all, and of each class, at most


def write_page(folder: Path, model: nn.Module, data: Splits, record: dict[str, Any]) -> None:
    """Write ``report.html`` into the folder of a run on classes, on its validation part, not on test.

    Args:
        folder: of the run.
        model: ``[B, C, H, W] -> [B, K]``, calibrated where the run was.
        data: its images.
        record: of the run.
    """
    logits = predict(model, data.val.x)
    write_text(folder / FILE, page_text(folder, logits, data.val, record))


def least_sure(probability: Tensor, y: Tensor, count: int) -> list[list[int]]:
    """Return for each class the images of it that the network is least sure of, the least sure first.

    An image is the less sure the less probable its true class is beside the best other one.

    Args:
        probability: ``[N, K]``.
        y: labels ``[N]``.
        count: at most this many of each class.
    """
    own = probability.gather(1, y[:, None])[:, 0]
    other = probability.scatter(1, y[:, None], -1.0).max(1).values
    margin = own - other
    found = []
    for k in range(probability.shape[1]):
        index = (y == k).nonzero()[:, 0]
        found.append(index[margin[index].argsort(stable=True)][:count].tolist())
    return found


def page_text(folder: Path, logits: Tensor, val: Samples, record: dict[str, Any]) -> str:
    """Return the page.

    Args:
        folder: of the run, for its log.
        logits: of the validation part, ``[N, K]``, calibrated where the run was.
        val: the validation part.
        record: of the run.
    """
    classes, validation = list(val.classes), record["validation"]
    calibration = record.get("calibration")
    temperature = float(calibration["temperature"]) if calibration else None
    raw = logits if temperature is None else logits * temperature
    probability = logits.double().softmax(1)
    best = probability.argmax(1)
    model = record["config"]["model"]
    name = f"{model['name']} {model['group'] or ''}".strip()
    parts = [
        f"<h1>{html.escape(name)} on {html.escape(_some(classes))}</h1>",
        f"<p>{html.escape(_story(record))}</p>",
        *(f'<p class="note">{html.escape(text)}</p>' for text in _notes(val, record)),
        "<h2>Figures on the validation part</h2>",
        _figures(validation, calibration),
        "<h2>Images</h2>",
        _counts(classes, record),
        "<h2>What it takes for what</h2>",
        '<div class="pair">',
        picture(
            confusion_picture(confusion(logits, val.y), classes), "Confusion matrix",
            "Validation images: a row is a true class, a column what the network answers; shade: share of the row.",
        ),
        "</div>",
        "<h2>Does it know what it does not know?</h2>",
        '<div class="pair">',
        picture(
            reliability_picture(raw, val.y, temperature), "Reliability diagram",
            "On the dotted line an answer given with 80 % is right in 80 of 100 cases; below it the network is too "
            "sure. Bars: one standard error. The temperature was fitted to these images; the table above judges it "
            "fairly.",
        ),
    ]  # fmt: skip
    learning = learning_picture(folder, int(validation["best_epoch"]))
    if learning is not None:
        parts.append(picture(learning, "Losses against the epoch", "How it learned. Validation chose the epoch."))
    parts += ["</div>", "<h2>The images it is least sure of</h2>", _least_sure(val, probability, best)]
    return document(name, parts)


def _story(record: dict[str, Any]) -> str:
    train, validation, start = record["config"]["train"], record["validation"], record.get("start")
    text = f"{record['parameters']:,} parameters, seed {record['seed']}, "
    if start:
        layer = (
            "its last layer kept"
            if start["head"] == "kept"
            else f"a new last layer (it knew {_some(start['classes'])})"
        )
        text += f"started from {Path(start['run']).name} with {layer}; "
    text += (
        f"trained for {validation['epochs']} of at most {train['epochs']} epochs, epoch {validation['best_epoch']} kept"
    )
    text += f" by {train['select']}. " if train["select"] != "auto" else ". "
    if train["augment"] != "none":
        text += f"Augmentation: {train['augment']}. "
    return text + "The test part has not been looked at: score it once, at the end, with steerable evaluate."


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "values"


def _notes(val: Samples, record: dict[str, Any]) -> list[str]:
    notes = []
    if len(val) < 100:
        error = (0.09 / len(val)) ** 0.5
        notes.append(f"Only {len(val)} validation images: an accuracy of 0.9 has a standard error of {error:.2f}.")
    validation = record["validation"]
    floor = max(validation["floors"][k]["accuracy"] for k in ("constant", "linear"))
    if validation["val_accuracy"] <= floor:
        notes.append(
            f"The network ({validation['val_accuracy']:.3f}) is no better than a floor that knows nothing of shapes "
            f"({floor:.3f}): it has learned nothing that these do not know."
        )
    return notes


def _figures(validation: dict[str, Any], calibration: dict[str, Any] | None) -> str:
    floors = validation["floors"]
    rows = [("network", validation["val_accuracy"], validation["val_auc"])]
    rows += [(f"floor: {k}", floors[k]["accuracy"], floors[k]["auc"]) for k in ("constant", "linear")]
    body = "".join(f"<tr><td>{n}</td><td>{number(a)}</td><td>{number(u)}</td></tr>" for n, a, u in rows)
    text = f"<table><tr><th></th><th>accuracy</th><th>AUC</th></tr>{body}</table>"
    if calibration is None:
        return text
    after = [calibration[k] for k in ("ece_after", "loss_after")]
    cells = ["-" if v is None else number(v) for v in after]
    return text + (
        "<h3>Calibration</h3><table><tr><th></th><th>expected calibration error</th><th>cross-entropy</th></tr>"
        f"<tr><td>as trained</td><td>{number(calibration['ece_before'])}</td>"
        f"<td>{number(calibration['loss_before'])}</td></tr>"
        f"<tr><td>with a temperature</td><td>{cells[0]}</td><td>{cells[1]}</td></tr></table>"
        f"<p><small>{_temperature(calibration)} The second row is cross-fitted: each fifth of the images is judged by "
        "the temperature of the other four.</small></p>"
    )


def _temperature(calibration: dict[str, Any]) -> str:
    used, fitted = calibration["temperature"], calibration["fitted"]
    if used == fitted:
        return f"Temperature {used:.3f}."
    return f"A temperature of {fitted:.3f} was fitted and not used (it stays 1), since it raises the cross-entropy."


def _counts(classes: list[str], record: dict[str, Any]) -> str:
    images, balance = record["images"], record.get("balance") or {"how": "none", "classes": {}}
    weighted = balance["how"] != "none"
    head = "<th>class</th>" + "".join(f"<th>{p}</th>" for p in ("training", "validation", "test"))
    head += "<th>weight</th>" if weighted else ""
    rows = []
    for k, c in enumerate(classes):
        cells = "".join(f"<td>{images[p][k]}</td>" for p in ("train", "val", "test"))
        cells += f"<td>{number(balance['classes'][c]['weight'])}</td>" if weighted else ""
        rows.append(f"<tr><td>{html.escape(c)}</td>{cells}</tr>")
    how = {"loss": "Rare classes count more in the loss.", "sampler": "Rare classes are drawn more often.", "none": ""}
    return f"<table><tr>{head}</tr>{''.join(rows)}</table><p><small>{how[balance['how']]}</small></p>"


def _least_sure(val: Samples, probability: Tensor, best: Tensor) -> str:
    classes = val.classes
    each = max(1, min(EACH, SHOWN // len(classes)))
    parts = [
        "<p>Of each class the validation images whose true class wins by least, or loses by most; "
        "<b>red frames are wrong</b>. Look at them: a wrong label, a bad image, or a hard one?</p>"
    ]
    for k, index in enumerate(least_sure(probability, val.y, each)):
        here = val.y == k
        right = int((best[here] == k).sum())
        parts.append(f"<h3>{html.escape(classes[k])} <small>{right} of {int(here.sum())} right</small></h3>")
        parts.append('<div class="row">')
        for i in index:
            guess = int(best[i])
            wrong = guess != k
            name = val.ids[i] if val.ids else f"validation image {i}"
            answer = f"{html.escape(classes[guess])} {100 * float(probability[i, guess]):.0f} %"
            true = f" (true: {html.escape(classes[k])} {100 * float(probability[i, k]):.0f} %)" if wrong else ""
            data = base64.b64encode(thumbnail(val.x[i])).decode("ascii")
            parts.append(
                f'<figure{" class=wrong" if wrong else ""}><img src="data:image/png;base64,{data}" '
                f'alt="{html.escape(name)}"><figcaption><b>{answer}</b>{true}<br>{html.escape(name)}</figcaption></figure>'
            )
        parts.append("</div>")
    return "\n".join(parts)
