"""What a check found, as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from steerable.fields.type import FieldType
from steerable.laws.lint_rules import Finding
from steerable.laws.sizes import SizeViolation

#: standard deviation, in pixels, of the blur before an image is turned by an angle that needs interpolation
SMOOTHING = 2.0


@dataclass(frozen=True)
class Row:
    """One element.

    Attributes:
        element: its name.
        error: relative L2 error of ``f(g x) = g f(x)``.
        floor: what resampling alone costs (the input turned there and back), ``None`` where nothing is resampled.
    """

    element: str
    error: float
    floor: float | None = None


@dataclass(frozen=True)
class Report:
    """What :func:`check` found; ``str`` is a table.

    Attributes:
        title: module, group and types.
        limit: error that rounding explains.
        exact: elements that move samples onto samples.
        resampled: elements that need interpolation, on the inner disc.
        sizes: strided layers that meet a size at which quarter turns are not exact.
        findings: operations that break the symmetry, from reading the model.
        remarks: what a verdict on exact elements alone would hide.
    """

    title: str
    limit: float
    exact: tuple[Row, ...]
    resampled: tuple[Row, ...]
    sizes: tuple[SizeViolation, ...]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()

    @property
    def worst(self) -> float:
        """Largest error over the exact elements; NaN if one is."""
        errors = [r.error for r in self.exact]
        return math.nan if any(math.isnan(e) for e in errors) else max(errors, default=0.0)

    @property
    def ok(self) -> bool:
        """Whether every exact element holds to rounding and nothing was found; without one, nothing remarked either."""
        held = self.worst <= self.limit if self.exact else not self.remarks
        return held and not self.findings and not self.sizes

    def __str__(self) -> str:
        lines = [self.title, f"{'element':<20}{'error':>10}{'floor':>10}"]
        for r in self.exact:
            verdict = "exact" if r.error <= self.limit else "NOT EXACT"
            lines.append(f"{r.element:<20}{r.error:>10.1e}{'-':>10}  {verdict}")
        lines += [f"{r.element:<20}{r.error:>10.1e}{r.floor:>10.1e}  resampled" for r in self.resampled]
        if self.resampled and not self.resampled[0].element.startswith("generic"):
            lines.append(
                f"resampled: input blurred by {SMOOTHING:g} px, compared on the inner disc; floor = the input turned "
                f"there and back"
            )
        lines += [f"size: {v}" for v in self.sizes]
        lines += [f"symmetry: {f}" for f in self.findings]
        lines += [f"remark: {r}" for r in self.remarks]
        if not self.exact:
            verdict = "no exact element tested"
        elif self.worst <= self.limit:
            verdict = f"equivariance at every exact element (allowed {self.limit:.0e})"
        else:
            verdict = f"equivariance broken: {self.worst:.1e} at an exact element (allowed {self.limit:.0e})"
        lines.append(f"{verdict}, {len(self.sizes)} size violation(s), {len(self.findings)} finding(s)")
        return "\n".join(lines)


def short(type: FieldType) -> str:
    """A type as a string, or its number of channels where that is long."""
    return str(type) if len(str(type)) < 60 else f"{type.size} channels"
