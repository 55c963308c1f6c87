"""Maps of the sphere for the report, as PNG bytes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.domains.sphere import Sphere
from steerable.run.page.class_colours import class_bar, class_legend, labels_as, legend_height
from steerable.run.page.pictures import new_figure, png_bytes
from steerable.tasks.sky import draw_field, draw_map


@dataclass(frozen=True)
class Panel:
    """One map.

    Attributes:
        title: above it.
        value: ``[*shape]``, NaN where nothing is known.
        arrows: ``[2, *shape]`` along south and east, or (Q, U) of a spin 2; None: none.
        names: of classes, where the values are labels.
        scale: panels of one scale share their colours; those whose scale begins with ``d`` lie around 0.
        length: whether the values are lengths of vectors, from 0.
        unit: of the values.
        longest: length that the longest arrow stands for; 0: that of this panel.
        spin: of the arrows.
    """

    title: str
    value: Tensor
    arrows: Tensor | None = None
    names: tuple[str, ...] = ()
    scale: str = ""
    length: bool = False
    unit: str = ""
    longest: float = 0.0
    spin: int = 1


def map_pictures(rows: list[list[Panel]], sphere: Sphere) -> bytes:
    """Draw rows of maps in Mollweide's projection.

    Args:
        rows: of panels, at most three each.
        sphere: where the values lie.
    """
    wide = max(len(row) for row in rows)
    every = [panel for row in rows for panel in row]
    names, width = most_names(every), 4.2 * wide
    figure = new_figure(width, 2.9 * len(rows) + legend_height(names, width))
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            axes = figure.add_subplot(len(rows), wide, i * wide + j + 1, projection="mollweide")
            axes.set_facecolor("#d9dee5")
            axes.set_title(panel.title, fontsize=9)
            if panel.names:
                image = draw_map(axes, panel.value, sphere, **labels_as(panel.names))
                class_bar(figure, axes, image, panel.names)
                continue
            low, high = limits([p.value for p in every if panel.scale and p.scale == panel.scale] or [panel.value])
            colours = "viridis"
            if panel.length:
                low, colours = 0.0, "Reds" if panel.scale.startswith("d") else colours
            elif panel.scale.startswith("d"):
                high = max(abs(low), abs(high))
                low, colours = -high, "RdBu_r"
            image = draw_map(axes, panel.value, sphere, cmap=colours, vmin=low, vmax=high)
            bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.8, pad=0.04)
            bar.ax.tick_params(labelsize=7)
            bar.set_label(panel.unit, fontsize=8)
            if panel.arrows is not None:
                draw_field(axes, panel.arrows, sphere, spin=panel.spin, longest=panel.longest or None, color="#1c2430")
    class_legend(figure, names, width)
    return png_bytes(figure)


def most_names(panels: list[Panel]) -> tuple[str, ...]:
    """Return the names of the panel that has the most classes."""
    return max((p.names for p in panels), key=len, default=())


def limits(values: list[Tensor]) -> tuple[float, float]:
    """Return a range of colours: all known values but the outermost 1 % on each side."""
    known = torch.cat([v[torch.isfinite(v)].flatten() for v in values])
    if not len(known):
        return 0.0, 1.0
    low, high = (float(torch.quantile(known[:: max(1, len(known) // 100_000)], q)) for q in (0.01, 0.99))
    return low, high if high > low else low + 1.0
