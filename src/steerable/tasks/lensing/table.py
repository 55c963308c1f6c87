"""The table of the demo: the same cells for the terminal and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steerable.tasks.lensing.demo import DemoResult

__all__ = ["COLUMNS", "rich_table", "table_cells"]

COLUMNS = (
    "network",
    "accuracy",
    "accuracy turned 90°",
    "AUC",
    "changed",
    "error",
    "parameters",
    "seconds",
)

_FIELDS = (
    ("accuracy", "{:.3f}"),
    ("accuracy_turned", "{:.3f}"),
    ("auc", "{:.3f}"),
    ("changed", "{:.1%}"),
    ("error", "{:.1e}"),
    ("parameters", "{:,.0f}"),
    ("seconds", "{:.0f}"),
)


def table_cells(result: DemoResult) -> list[list[tuple[str, str]]]:
    """Rows of (measured, expected) strings by `COLUMNS`; the last row is the linear floor."""
    table = []
    for row in result.rows:
        measured = {**row.test.to_dict(), "parameters": row.parameters, "seconds": row.training.seconds}
        cells = [(row.entrant.name, "")]
        for name, form in _FIELDS:
            expected = row.entrant.expected.get(name)
            cells.append((form.format(measured[name]), "" if expected is None else form.format(expected)))
        table.append(cells)
    empty, floor = ("", ""), []
    for name in ("accuracy", "auc"):
        expected = result.expected_floor.get(name)
        floor.append((f"{result.floor[name]:.3f}", "" if expected is None else f"{expected:.3f}"))
    table.append([("linear floor", ""), floor[0], floor[0], floor[1], ("0.0%", ""), empty, empty, empty])
    return table


def rich_table(result: DemoResult) -> Any:
    """The table for a terminal, as a `rich.table.Table`; expected values stand in parentheses below the measured."""
    from rich.table import Table

    title = "Dark matter in simulated lenses: test split"
    if result.expected_floor:
        title += " (expected values, means of three seeds, in parentheses)"
    table = Table(title=title, show_lines=True)
    for i, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if i == 0 else "right")
    for cells in table_cells(result):
        table.add_row(*(f"{value}\n[dim]({expected})[/dim]" if expected else value for value, expected in cells))
    return table
