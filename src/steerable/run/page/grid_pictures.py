"""Panels of images, and of slices of volumes, for the report, as PNG bytes."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.run.page.class_colours import class_bar, class_legend, labels_as, legend_height
from steerable.run.page.map_pictures import Panel, limits, most_names
from steerable.run.page.pictures import new_figure, png_bytes

GROUND = "#d9dee5"
WIDE = 5  # panels side by side, at most


def busiest(labels: Tensor) -> tuple[int, ...]:
    """Return, along each axis of labels, the slice with the most places of other classes than the commonest."""
    known = labels[torch.isfinite(labels)]
    if not len(known):
        return tuple(n // 2 for n in labels.shape)
    other = torch.isfinite(labels) & (labels != known.mode().values)
    axes = range(labels.dim())
    return tuple(int(other.sum([a for a in axes if a != axis]).argmax()) for axis in axes)


def slices(x: Tensor, place: tuple[int, ...]) -> list[tuple[str, Tensor]]:
    """Return names and values of what is drawn of an image: itself; of ``[D, H, W]``: three slices, x3 upwards."""
    if len(place) == 2:
        return [("", x)]
    d, h, w = place
    return [(f"slice {d} of x3", x[d]), (f"{h} of x2", x[:, h].flip(0)), (f"{w} of x1", x[:, :, w].flip(0))]


def grid_pictures(rows: list[list[Panel]]) -> bytes:
    """Draw panels as the pixels lie, row 0 at the top; of volumes three slices through what there is.

    Args:
        rows: of panels, whose values are ``[H, W]``, colours ``[H, W, 3]``, or ``[D, H, W]``.
    """
    every = [panel for row in rows for panel in row]
    rows = [every] if len(every) <= WIDE else rows
    place = busiest(next((p.value for p in every if p.names), torch.full_like(every[0].value, torch.nan)))
    cells = [list(zip(row, parts, strict=True)) for row in rows
             for parts in zip(*(slices(p.value, place) for p in row), strict=True)]  # fmt: skip
    wide = max(map(len, cells))
    names, width = most_names(every), 2.9 * wide
    figure = new_figure(width, 3.1 * len(cells) + legend_height(names, width))
    for i, row in enumerate(cells):
        for j, (panel, (name, value)) in enumerate(row):
            axes = figure.add_subplot(len(cells), wide, i * wide + j + 1, facecolor=GROUND, xticks=[], yticks=[])
            axes.set_title(f"{panel.title}, {name}" if name else panel.title, fontsize=9)
            if value.dim() == 3:
                axes.imshow(value.clamp(0, 1).numpy())
            elif panel.names:
                image = axes.imshow(value.numpy(), interpolation="nearest", **labels_as(panel.names))
                class_bar(figure, axes, image, panel.names)
            else:
                low, high = limits([p.value for p in every if panel.scale and p.scale == panel.scale] or [panel.value])
                axes.imshow(value.numpy(), cmap="gray", vmin=low, vmax=high)
    class_legend(figure, names, width)
    return png_bytes(figure)
