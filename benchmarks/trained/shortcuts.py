"""The shortcut test on thousands of images: physical lenses of five kinds, and the published models.

Run: ``python -m benchmarks.trained.shortcuts``; about two minutes on one core.
"""

from __future__ import annotations

from steerable.tasks.lensing import KINDS, LensSettings, published_settings
from steerable.tasks.lensing.shortcut import shortcuts


def main() -> None:
    """Print a line for all classes and for each pair, set by set."""
    sets = {"physical": LensSettings(classes=KINDS)}
    sets |= {f"Model {model}": published_settings(model) for model in ("I", "II", "III")}
    for name, settings in sets.items():
        print(f"\n{name}: {settings.pixels} pixels of {settings.pixel_scale} arcsec")
        for found in shortcuts(settings, train=2000, validation=500, test=1500):
            print(f"* {found}")


if __name__ == "__main__":
    main()
