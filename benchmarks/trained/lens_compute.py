"""The plain lens network of equal compute, with D4 augmentation, on the images of the demo.

Run: ``python -m benchmarks.trained.lens_compute``. Its widths are the channels of ``lens_cnn`` on D(4), so it
multiplies as often and has eight times the parameters. It gets the augmentation and rate of the smaller twin, and half
its epochs.
"""

from __future__ import annotations

import torch

import steerable as st
from steerable.tasks.lensing import simulate
from steerable.tasks.lensing.evaluate import evaluate
from steerable.tasks.lensing.train import fit


def main() -> None:
    """Print one line a seed."""
    for seed in range(3):
        train, val, test = (
            simulate(n, seed=seed, split=split) for n, split in ((200, "train"), (100, "validation"), (300, "test"))
        )
        torch.manual_seed(seed)
        model = st.create_model("lens_cnn_plain", in_channels=1, num_classes=3, widths=(64, 96, 128, 128))
        parameters = sum(p.numel() for p in model.parameters())
        result = fit(
            model,
            (train.inputs(), train.label),
            (val.inputs(), val.label),
            epochs=30,
            lr=5e-3,
            augment=True,
            seed=seed,
        )
        found = evaluate(model, test.inputs(), test.label)
        print(
            f"seed {seed}: {parameters} parameters, {result.seconds:.0f} s, accuracy {found.accuracy:.3f}, turned "
            f"{found.accuracy_turned:.3f}, AUC {found.auc:.3f}, changed {found.changed:.3f}, error {found.error:.2f}"
        )


if __name__ == "__main__":
    main()
