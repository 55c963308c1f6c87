"""What a macro fit reports."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

__all__ = ["MacroFit"]


@dataclasses.dataclass(frozen=True)
class MacroFit:
    """The best smooth lens for each of B images.

    Attributes:
        names: the P parameters: `MACRO` and, where asked for, "slope" and the lens light.
        parameters: [B, P] float64.
        uncertainty: [B, P] float64, one standard deviation from the curvature of chi2 (infinite where the image does
            not constrain a parameter). It knows nothing of other minima.
        chi2_per_pixel: [B] float64, over the pixels that were fitted; not divided by the degrees of freedom.
        signal: [B] float64, by how much chi2 is below that of an empty image.
        converged: [B] bool: at a minimum of chi2, and the lens explains more than noise would give.
        iterations: [B] int64, evaluations of the model that the winning start took.
        residual: [B, n, n] (image - model) / sigma, in the dtype of the image; masked pixels are shown as well.
        model: [B, n, n] the smooth image.
        start: [B] int64, index into `start_names` of the start that won.
        start_names: of the starts.
        reason: for each image why the fit ended, in words; "converged" and nothing more is the good end.
    """

    names: tuple[str, ...]
    parameters: Tensor
    uncertainty: Tensor
    chi2_per_pixel: Tensor
    signal: Tensor
    converged: Tensor
    iterations: Tensor
    residual: Tensor
    model: Tensor
    start: Tensor
    start_names: tuple[str, ...]
    reason: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.parameters.shape[0])

    def __getitem__(self, name: str) -> Tensor:
        """[B] values of the parameter `name`.

        Raises:
            KeyError: for a name that was not fitted.
        """
        if name not in self.names:
            raise KeyError(f"MacroFit has no parameter {name!r}; expected one of {', '.join(self.names)}")
        return self.parameters[:, self.names.index(name)]

    @property
    def macro(self) -> Tensor:
        """[B, 14] the parameters of lens and source, columns `scene.MACRO`."""
        return self.parameters[:, :14]

    def table(self) -> dict[str, list[float] | list[bool] | list[int] | list[str]]:
        """Columns for a catalogue, one value per image: parameters, "NAME_error", chi2, convergence and reason."""
        columns: dict[str, list[float] | list[bool] | list[int] | list[str]] = {}
        for i, name in enumerate(self.names):
            columns[name] = self.parameters[:, i].tolist()
            columns[f"{name}_error"] = self.uncertainty[:, i].tolist()
        columns["chi2_per_pixel"] = self.chi2_per_pixel.tolist()
        columns["signal"] = self.signal.tolist()
        columns["converged"] = self.converged.tolist()
        columns["iterations"] = self.iterations.tolist()
        columns["start"] = [self.start_names[i] for i in self.start.tolist()]
        columns["reason"] = list(self.reason)
        return columns

    @staticmethod
    def join(parts: list[MacroFit]) -> MacroFit:
        """One result from results of the same parameters and starts, image after image."""
        if len(parts) == 1:
            return parts[0]
        values = {}
        for field in dataclasses.fields(MacroFit):
            rows = [getattr(part, field.name) for part in parts]
            if isinstance(rows[0], Tensor):
                values[field.name] = torch.cat(rows)
            elif field.name == "reason":
                values[field.name] = tuple(word for row in rows for word in row)
            else:
                values[field.name] = rows[0]
        return MacroFit(**values)
