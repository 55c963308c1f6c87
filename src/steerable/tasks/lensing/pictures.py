"""Figures of the report, as PNG bytes. Matplotlib is imported when the first one is drawn; pyplot is not used."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from steerable.tasks.lensing.dataset import blind_fit, observe
from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.drawn import Drawn
from steerable.tasks.lensing.evaluate import AngleCurve, Evaluation, TurningSky
from steerable.tasks.lensing.settings import LensSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["angle_picture", "confusion_picture", "feature_picture", "sample_picture", "turn_smoothly"]

NAMES = {
    "none": "smooth lens",
    "cdm": "sub-halos (CDM)",
    "wdm": "sub-halos (WDM)",
    "sidm": "sub-halos (SIDM)",
    "vortex": "axion vortex",
}
_COLOURS = ("#2a6fbb", "#c8553d", "#e0a030", "#4c8c4a")
_MARKS = ("o", "s", "^", "d")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=110)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def turn_smoothly(image: Tensor, degrees: float) -> Tensor:
    """Turn maps [..., n, n] counter-clockwise: exactly by quarter turns, bilinearly (for the eye only) otherwise."""
    if degrees % 90.0 == 0.0:
        return torch.rot90(image, round(degrees / 90.0) % 4, (-2, -1))
    angle = torch.deg2rad(torch.tensor(degrees, dtype=image.dtype))
    cos, sin = angle.cos(), angle.sin()
    # grid_sample asks where an output pixel comes from, with rows down: R(-angle) on the sky.
    matrix = torch.stack((cos, -sin, 0 * cos, sin, cos, 0 * cos)).reshape(1, 2, 3)
    flat = image.reshape(1, -1, *image.shape[-2:])
    grid = nn.functional.affine_grid(matrix, list(flat.shape), align_corners=False)
    return nn.functional.grid_sample(flat, grid, padding_mode="border", align_corners=False).reshape(image.shape)


def sample_picture(settings: LensSettings, seed: int = 0, examples: int = 2, kind: str = "residual") -> bytes:
    """One row a class: noisy image, residual, and the residual with the true clumps drawn in."""
    from matplotlib.patches import Circle

    figure = _figure(2.1 * 3 * examples, 2.25 * len(settings.classes))
    grid = figure.subplots(len(settings.classes), 3 * examples, squeeze=False)
    half = settings.pixels * settings.pixel_scale / 2
    extent = (-half, half, -half, half)
    for label, name in enumerate(settings.classes):
        scene = draw_scenes(settings, label, range(examples), seed=seed, split="test")
        image, residual, sigma = observe(scene, settings)
        if kind == "fit_residual":
            residual = blind_fit(image, sigma, settings).residual
        for i in range(examples):
            cells = grid[label][3 * i : 3 * i + 3]
            cells[0].imshow(image[i].clamp_min(0).sqrt().numpy(), cmap="inferno", extent=extent)
            for cell in cells[1:]:
                cell.imshow(residual[i].numpy(), cmap="RdBu_r", vmin=-6, vmax=6, extent=extent)
            for x, y, mass in halo_circles(scene, i):
                cells[2].add_patch(Circle((x, y), 1.5 * mass**0.5, fill=False, color="black", linewidth=0.8))
            angle, length = scene.vortex[i]
            if length > 0:
                x, y = float(length * angle.cos()), float(length * angle.sin())
                cells[2].plot([-x, x], [-y, y], color="black", linewidth=1.2)
            for cell, title in zip(cells, ("image (sqrt)", "residual, ±6σ", "residual + truth"), strict=True):
                cell.set_xlim(-half, half)
                cell.set_ylim(-half, half)
                _bare(cell)
                if label == 0:
                    cell.set_title(title, fontsize=9)
        grid[label][0].set_ylabel(NAMES[name], fontsize=10)
    return _png(figure)


def halo_circles(drawn: Drawn, i: int) -> list[tuple[float, float, float]]:
    """(x, y, mass in arcsec^2) of the sub-halos of scene `i`; none for a vortex."""
    part = drawn.clumps()
    if part is None or float(drawn.vortex[i, 1]) > 0:
        return []
    v = {name: value[i] for name, value in part.values.items()}
    if part.kind == "PJAFFE":
        mass = 2.0 * v["sigma0"] * v["Ra"] * v["Rs"]
    else:
        mass = v["theta_E"] ** 2 if part.kind == "POINT_MASS" else v["Rs"] * v["alpha_Rs"]
    rows = torch.stack((v["center_x"], v["center_y"], mass), 1).tolist()
    return [(x, y, m) for x, y, m in rows if m > 0]


def confusion_picture(results: dict[str, Evaluation], classes: tuple[str, ...]) -> bytes:
    """Confusion matrices side by side: rows are the truth, in per cent of each row."""
    figure = _figure(3.3 * len(results), 3.5)
    for cell, (name, result) in zip(figure.subplots(1, len(results), squeeze=False)[0], results.items(), strict=True):
        share = 100.0 * result.confusion / result.confusion.sum(1, keepdim=True).clamp_min(1)
        cell.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=100)
        for row in range(len(classes)):
            for column in range(len(classes)):
                value = float(share[row, column])
                cell.text(
                    column, row, f"{value:.0f}", ha="center", va="center", color="white" if value > 55 else "black"
                )
        cell.set_xticks(range(len(classes)), classes)
        cell.set_yticks(range(len(classes)), classes)
        cell.set_xlabel("predicted")
        cell.set_ylabel("true (% of the row)")
        cell.set_title(name, fontsize=10)
    return _png(figure)


def roc_picture(results: dict[str, Evaluation], classes: tuple[str, ...]) -> bytes:
    """ROC curves, each class against the rest, one line a network; areas in the legends."""
    from torchmetrics.functional.classification import binary_auroc, binary_roc

    figure = _figure(3.5 * len(classes), 3.6)
    for k, (cell, name) in enumerate(zip(figure.subplots(1, len(classes), squeeze=False)[0], classes, strict=True)):
        for i, (network, result) in enumerate(results.items()):
            scores, truth = result.logits.double().softmax(1)[:, k], (result.label == k).long()
            false, true, _ = binary_roc(scores, truth)
            area = float(binary_auroc(scores, truth))
            cell.plot(false, true, color=_COLOURS[i % 4], label=f"{network} {area:.3f}")
        cell.plot((0, 1), (0, 1), color="#9aa4b1", linewidth=0.8, linestyle=":")
        cell.set_title(f"{NAMES.get(name, name)} against the rest", fontsize=10)
        cell.set_xlabel("false positive rate")
        cell.grid(alpha=0.3)
        cell.legend(fontsize=7, loc="lower right")
        if k == 0:
            cell.set_ylabel("true positive rate")
    return _png(figure)


def angle_picture(curve: AngleCurve) -> bytes:
    """Left: relative change of the logits against the angle of the sky; right: accuracy against the angle."""
    figure = _figure(10.5, 3.9)
    left, right = figure.subplots(1, 2)
    for i, name in enumerate(curve.error):
        style = {"color": _COLOURS[i % 4], "marker": _MARKS[i % 4], "markersize": 4, "label": name}
        left.plot(curve.degrees, [max(value, 1e-7) for value in curve.error[name]], **style)
        right.plot(curve.accuracy_degrees, curve.accuracy[name], **style)
    left.set_yscale("log")
    left.set_ylim(5e-8, 5)
    left.set_ylabel("relative change of the logits")
    left.set_title(f"{curve.scenes[0]} noise-free scenes (values below 1e-7 drawn there)", fontsize=9)
    right.set_ylabel("accuracy")
    error = max(value * (1 - value) for values in curve.accuracy.values() for value in values) ** 0.5
    error /= curve.scenes[1] ** 0.5
    right.set_title(f"{curve.scenes[1]} noisy scenes (standard error {error:.3f} or less)", fontsize=9)
    for cell in (left, right):
        cell.set_xlabel("angle of the sky (degrees), simulated again at each angle")
        cell.set_xticks(range(0, 91, 15))
        cell.grid(alpha=0.3)
    left.legend(fontsize=8, loc="lower center")
    return _png(figure)


def feature_picture(
    models: dict[str, nn.Module],
    settings: LensSettings,
    seed: int = 0,
    angles: tuple[float, ...] = (0, 45, 90, 180),
    kind: str = "residual",
) -> bytes:
    """Feature maps under a turning sky: as they are, and in the co-moving frame (turned back with the sky).

    Args:
        models: networks with a method `maps(x) -> [B, maps, h, w]` of scalar maps; the liveliest map of each is drawn.
        settings: of the simulation; the scene is a sub-halo lens of the test split, free of noise.
        seed: of the scene.
        angles: degrees, the first of which is the reference.
        kind: the residual that the networks see.
    """
    scene = draw_scenes(settings, 1, [1], seed=seed, split="test")
    sky = TurningSky([scene], settings, False, kind)
    inputs = [sky.inputs(float(angle))[0, 0] for angle in angles]
    figure = _figure(2.15 * len(angles) + 1.2, 2.2 * (1 + 2 * len(models)))
    grid = figure.subplots(1 + 2 * len(models), len(angles), squeeze=False)
    for cell, image, angle in zip(grid[0], inputs, angles, strict=True):
        cell.imshow(image.numpy(), cmap="RdBu_r", vmin=-3, vmax=3)
        cell.set_title(f"sky turned by {angle:.0f}°", fontsize=9)
        _bare(cell)
    grid[0][0].set_ylabel("input\n(simulated again)", fontsize=9)
    for m, (name, model) in enumerate(models.items()):
        with torch.no_grad():
            maps = torch.stack([model.maps(image[None, None])[0] for image in inputs])  # type: ignore[operator]
        chosen = maps[:, int(maps[0].flatten(1).std(1).argmax())]
        back = [turn_smoothly(image, -float(angle)) for image, angle in zip(chosen, angles, strict=True)]
        top = float(chosen.max())
        for j, (image, still) in enumerate(zip(chosen, back, strict=True)):
            above, below = grid[1 + 2 * m][j], grid[2 + 2 * m][j]
            above.imshow(image.numpy(), cmap="viridis", vmin=0, vmax=top)
            below.imshow(still.numpy(), cmap="viridis", vmin=0, vmax=top)
            moved = float((still - back[0]).norm() / back[0].norm().clamp_min(1e-30))
            note = "reference" if j == 0 else f"differs by {moved:.0e}" if moved < 1e-3 else f"differs by {moved:.0%}"
            below.set_xlabel(note + (" *" if float(angles[j]) % 90 else ""), fontsize=9)
            _bare(above)
            _bare(below)
        grid[1 + 2 * m][0].set_ylabel(f"{name}\nfeature", fontsize=9)
        grid[2 + 2 * m][0].set_ylabel(f"{name}\nco-moving", fontsize=9)
    return _png(figure)
