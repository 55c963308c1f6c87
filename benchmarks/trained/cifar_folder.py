"""Write the CIFAR-10 subset as a folder that ``steerable fit --data.name folder`` reads.

Run: ``python -m benchmarks.trained.cifar_folder OUT``, with ``STEERABLE_DATA`` set. Of each class the first 500
training images are for training, the next 100 for validation; the 200 test images stay the test part.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np


def main(out: str) -> None:
    """Write ``train.npz``, ``val.npz`` and ``test.npz``."""
    source = np.load(Path(os.environ["STEERABLE_DATA"]) / "cifar10" / "cifar10_subset.npz")
    x, y = source["x_train"].transpose(0, 3, 1, 2), source["y_train"].astype(np.int64)
    rank = np.zeros(len(y), dtype=int)
    for label in range(10):
        rank[y == label] = np.arange((y == label).sum())
    test = source["x_test"].transpose(0, 3, 1, 2), source["y_test"].astype(np.int64)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "train": (x[rank < 500], y[rank < 500]),
        "val": (x[rank >= 500], y[rank >= 500]),
        "test": test,
    }
    for name, (images, labels) in parts.items():
        np.savez_compressed(folder / name, x=images, y=labels, classes=source["classes"])


if __name__ == "__main__":
    main(sys.argv[1])
