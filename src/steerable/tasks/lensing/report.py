"""The report page of the demo: one HTML file that holds its pictures."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import nn

from steerable.tasks.lensing.pictures import (
    angle_picture,
    confusion_picture,
    feature_picture,
    roc_picture,
    sample_picture,
)
from steerable.tasks.lensing.residual import BANNERS
from steerable.tasks.lensing.settings import LensSettings
from steerable.tasks.lensing.table import COLUMNS, table_cells

if TYPE_CHECKING:
    from steerable.tasks.lensing.demo import DemoResult

__all__ = ["write_report"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; line-height: 1.2 } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem } th, td { padding: .35rem .5rem; text-align: right }
th { border-bottom: 2px solid #1c2430; vertical-align: bottom } td { border-bottom: 1px solid #d9dee5 }
th:first-child, td:first-child { text-align: left } small { color: #5b6675; white-space: nowrap }
.note { background: #fff4d6; border-left: 4px solid #e0a030; padding: .6rem .9rem; margin: 1rem 0 }
img { max-width: 100%; height: auto } figure { margin: 1rem 0 } figcaption { font-size: .9rem; color: #5b6675 }
"""

_INTRODUCTION = """Each image shows a galaxy behind a lens that is smooth, or holds sub-halos of cold dark matter, or a
vortex of an axion field. Three networks of equal size learn to tell which: one that is equivariant under the eight
symmetries of the square, its plain twin, and the plain twin trained on all eight copies of each image."""

_LEGEND = """Turned: by 90 degrees. Changed: share of answers that differ between upright and turned. Error: relative
change of the logits. Schedules were chosen on validation images, never on test. Expected values: mean of three seeds,
200 training images a class."""


def _picture(png: bytes, alternative: str, caption: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{html.escape(alternative)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _table(result: DemoResult) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in COLUMNS)
    body = []
    for cells in table_cells(result):
        row = []
        for value, expected in cells:
            beside = f"<br><small>expected {html.escape(expected)}</small>" if expected else ""
            row.append(f"<td>{html.escape(value)}{beside}</td>")
        body.append(f"<tr>{''.join(row)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _pictures(
    result: DemoResult,
    models: dict[str, nn.Module],
    settings: LensSettings,
    progress: Callable[[int, int], None] | None,
) -> list[str]:
    drawers: list[tuple[Callable[[], bytes], str, str]] = [
        (
            lambda: sample_picture(settings, result.seed, kind=result.input),
            "Two test lenses of each class: image, residual, and residual with the true clumps",
            "Test lenses. Left: the noisy image. Middle: what is left after the best smooth lens, in units of the "
            "noise; this is what the networks see. Right: the same, with the true sub-halos (area as mass) or vortex.",
        ),
        (
            lambda: confusion_picture({row.entrant.name: row.test for row in result.rows}, settings.classes),
            "Confusion matrices of the three networks",
            "Confusion on the test split, per cent of each true class.",
        ),
        (
            lambda: roc_picture({row.entrant.name: row.test for row in result.rows}, settings.classes),
            "ROC curves of each class against the rest",
            "Test split, each class against the rest by its softmax score; areas under the curves in the legends.",
        ),
        (
            lambda: angle_picture(result.curve),
            "Change of the logits and accuracy against the angle of the sky",
            "The sky is turned by turning the parameters of the scene and simulating again; no image is interpolated. "
            "Quarter turns are exact symmetries of the grid; angles between are not. Where residuals come from blind "
            "fits, two fits of the same sky differ by a little, and the answers with them. On the right the noise does "
            "not turn with the sky.",
        ),
        (
            lambda: feature_picture(dict(list(models.items())[:2]), settings, result.seed, kind=result.input),
            "Feature maps of the equivariant and the plain network while the sky turns",
            "One feature map of each network while the sky turns: as it is, and turned back with the sky (the "
            "co-moving frame). What is equivariant stands still there. * turned back by interpolation, for the eye.",
        ),
    ]
    pictures = []
    for i, (draw, alternative, caption) in enumerate(drawers):
        pictures.append(_picture(draw(), alternative, caption))
        if progress is not None:
            progress(i + 1, len(drawers))
    return pictures


def _page(result: DemoResult, settings: LensSettings, pictures: list[str]) -> str:
    counts = ", ".join(f"{n} {split}" for split, n in result.images.items())
    stages = ", ".join(f"{name} {value:.0f} s" for name, value in result.seconds.items())
    made = (
        f"{settings.pixels} x {settings.pixels} pixels of {settings.pixel_scale} arcsec, Gaussian point-spread "
        f"function of {settings.psf_fwhm} arcsec, peak signal to noise {settings.peak_snr:g}; sub-halos hold "
        f"{100 * settings.halo_fraction:g} % and the vortex {100 * settings.vortex_fraction:g} % of the mass inside "
        f"the Einstein radius. Wall time: {stages}."
    )
    fits = result.fits
    if fits:
        chi2 = "; ".join(f"{k} {v['blind']:.3f} ({v['at_truth']:.3f})" for k, v in fits["median_chi2"].items())
        fitted = (
            f"Blind fits of the {fits['images']} test images: {100 * fits['converged']:.1f} % converged. Median chi2 "
            f"per pixel of what they leave (and of the residual linearised at the truth): {chi2}."
        )
    else:
        fitted = ""
    quick = "Quick run: two epochs on a handful of images. The scores mean nothing."
    parts = [
        "<h1>What bends the light? Dark matter in simulated gravitational lenses</h1>",
        f"<p>{_INTRODUCTION}</p>",
        f'<p class="note">{quick}</p>' if result.quick else "",
        f'<p class="note">{html.escape(BANNERS[result.input])}</p>',
        f"<p>{html.escape(fitted)}</p>" if fitted else "",
        "<h2>Scores on the test split</h2>",
        _table(result),
        f"<p>Images of each class: {counts}; seed {result.seed}. {_LEGEND}</p>",
        "<h2>What this run shows</h2>",
        f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in result.claims)}</ul>",
    ]
    titles = (
        "What the networks see",
        "Where they err",
        "At every threshold",
        "When the sky turns",
        "Features turn with the sky",
    )
    parts += [f"<h2>{title}</h2>{picture}" for title, picture in zip(titles, pictures, strict=True)]
    parts += ["<h2>How it was made</h2>", f"<p>{html.escape(made)}</p>"]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>Dark matter in simulated lenses</title><style>{_STYLE}</style>'
    )
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def write_report(
    result: DemoResult,
    models: dict[str, nn.Module],
    settings: LensSettings,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the page to `result.report`: whole or not at all.

    Args:
        result: numbers of the run.
        models: the trained networks by name; the first is the equivariant one.
        settings: of the simulation.
        progress: called with (pictures done, pictures in all).
    """
    page = _page(result, settings, _pictures(result, models, settings, progress))
    temporary = result.report.with_name(f".{result.report.name}.{os.getpid()}")
    try:
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, result.report)
    finally:
        temporary.unlink(missing_ok=True)
