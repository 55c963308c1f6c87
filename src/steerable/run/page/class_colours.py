"""A colour of its own for every class of a segmentation, and what says which is which."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Colour = tuple[float, float, float]
#: more names than that do not fit below a panel: the figure has one list of them
MOST_BELOW = 12
LONGEST = 24
#: saturation and value of three hues in a row
_SHADES = ((1.0, 0.45), (0.45, 1.0), (1.0, 0.8))


def class_colours(count: int) -> list[Colour]:
    """Return one colour for each class: the 20 of matplotlib's ``tab20``, then hues around the circle, all different.

    Args:
        count: of the classes.
    """
    from matplotlib import colormaps

    known: list[Colour] = [tuple(map(float, c[:3])) for c in colormaps["tab20"].colors]  # type: ignore[attr-defined]
    more = max(0, count - len(known))
    return (known + [colorsys.hsv_to_rgb(k / more, *_SHADES[k % 3]) for k in range(more)])[:count]


def labels_as(names: Sequence[str]) -> dict[str, Any]:
    """Return the options of ``imshow`` and ``pcolormesh`` by which label k has the colour of class k."""
    from matplotlib.colors import ListedColormap

    return {"cmap": ListedColormap(class_colours(len(names))), "vmin": -0.5, "vmax": len(names) - 0.5}


def class_bar(figure: Figure, axes: Axes, image: Any, names: Sequence[str]) -> None:
    """Put the colours of a few classes and their names below a panel; many stand in :func:`class_legend`."""
    if len(names) > MOST_BELOW:
        return
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.8, pad=0.04)
    bar.set_ticks(range(len(names)), labels=[n[:11] for n in names], rotation=30, fontsize=6)


def legend_columns(names: Sequence[str], width: float) -> int:
    """Return how many columns of names fit into a figure of so many inches."""
    longest = max((min(len(n), LONGEST) for n in names), default=1)
    return max(1, min(len(names), int(width / (0.5 + 0.065 * longest))))


def legend_height(names: Sequence[str], width: float) -> float:
    """Return the inches that :func:`class_legend` needs below a figure of so many inches; 0 for a few classes."""
    return 0.0 if len(names) <= MOST_BELOW else 0.15 * math.ceil(len(names) / legend_columns(names, width)) + 0.2


def class_legend(figure: Figure, names: Sequence[str], width: float) -> None:
    """Put the colours of many classes and their names below the whole figure."""
    if len(names) <= MOST_BELOW:
        return
    from matplotlib.patches import Patch

    cut = [n if len(n) <= LONGEST else n[: LONGEST - 1] + "…" for n in names]
    patches = [Patch(color=c, label=n) for c, n in zip(class_colours(len(names)), cut, strict=True)]
    columns = legend_columns(names, width)
    figure.legend(handles=patches, loc="outside lower center", ncols=columns, fontsize=7, frameon=False,
                  handlelength=1.2, handleheight=0.9, labelspacing=0.3)  # fmt: skip
