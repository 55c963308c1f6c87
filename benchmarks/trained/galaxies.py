"""Made-up galaxies: the invariant network, the published concatenation, and plain CNNs of the same size.

Run: ``python -m benchmarks.trained.galaxies [IMAGES [EPOCHS]]``; under ten minutes on one core for 1,000 images.

All see the same 1,000 training galaxies of 57 pixels (40 volunteers each); the epoch, and of two learning rates the
better one for the first seed, are chosen on 200, the score is that of 500 others. Channels are an eighth of the
published ones, the parts are those of the picture as it is (no view of 45 degrees), so that a core is enough. Plain
networks are cheaper a step and get four times the epochs. Beside them stand the mean label, the linear floor, and the
noise of the votes: what is left when the shapes are known exactly.
"""

from __future__ import annotations

import sys
import time

import torch
from torch import Tensor

import steerable as st
from steerable.run.domains.turns import augment
from steerable.tasks.galaxies import GalaxyFloors, GalaxyZooTree, galaxies_synthetic, galaxy_rmse, question_report

SIZE, PART, WIDTH, SEEDS, RATES = 57, 37, 1 / 8, 3, (2e-3, 5e-3)
# name, augmentation, epochs over those of the first
RUNS = (
    ("dieleman_d4", "none", 1),
    ("dieleman", "none", 1),
    ("dieleman", "affine_colour", 1),
    ("dieleman_d4_plain", "none", 4),
    ("dieleman_d4_plain", "affine_colour", 4),
)


def answer(model: torch.nn.Module, x: Tensor) -> Tensor:
    """Predicted labels ``[N, 37]``."""
    model.eval()
    with torch.no_grad():
        return GalaxyZooTree()(torch.cat([model(part) for part in x.split(100)]).double())


def train(
    name: str, how: str, seed: int, epochs: int, rate: float, parts: dict[str, tuple[Tensor, Tensor]]
) -> dict[str, float]:
    """Train one network and score it where validation was best."""
    tree, (x, y), (vx, vy), (tx, ty) = GalaxyZooTree(), parts["train"], parts["val"], parts["test"]
    torch.manual_seed(seed)
    model = st.create_model(name, width=WIDTH, views=("0",), part=PART, dropout=0.1)
    batches = -(-len(x) // 32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * batches)
    generator = torch.Generator().manual_seed(seed)
    best, kept, start = float("inf"), {}, time.perf_counter()
    for epoch in range(epochs):
        model.train()
        for index in torch.randperm(len(x), generator=generator).tensor_split(batches):
            loss = (tree(model(augment(x[index], how, generator))) - y[index]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        if epoch >= epochs // 2 and (found := galaxy_rmse(answer(model, vx), vy)) < best:
            best, kept = found, {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(kept)
    seconds = time.perf_counter() - start
    out, turned = answer(model, tx), answer(model, torch.rot90(tx, 1, (-2, -1)))
    accuracy = question_report(out, ty.double())["curves"]
    return {
        "validation": best,
        "RMSE": galaxy_rmse(out, ty),
        "turned": galaxy_rmse(turned, ty),
        "moved": float((out - turned).square().mean().sqrt()),
        "smooth": accuracy["smooth"][0]["accuracy"],
        "half": accuracy["smooth"][2]["accuracy"],
        "arms": accuracy["arms"][0]["accuracy"],
        "seconds": seconds,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def main(images: int = 1000, epochs: int = 12) -> None:
    """Print the floors, a line for each run, and a table of means and spreads over the seeds."""
    torch.set_num_threads(1)
    data = galaxies_synthetic(train=images, size=SIZE)
    parts = {k: (getattr(data, k).x, getattr(data, k).y) for k in ("train", "val", "test")}
    exact = galaxies_synthetic(train=1, validation=1, size=SIZE, voters=0).test.y
    floors = GalaxyFloors.fit(parts["train"], parts["val"]).scores(*parts["test"])
    print(f"{images} images; constant {floors['constant']:.4f}, linear {floors['linear']:.4f}, noise of the votes "
          f"{galaxy_rmse(exact, parts['test'][1]):.4f}", flush=True)  # fmt: skip
    table = []
    for name, how, factor in RUNS:
        rows: list[dict[str, float]] = []
        tried = {rate: train(name, how, 0, factor * epochs, rate, parts) for rate in RATES}
        rate = min(RATES, key=lambda r: tried[r]["validation"])
        for seed in range(SEEDS):
            rows.append(tried[rate] if seed == 0 else train(name, how, seed, factor * epochs, rate, parts))
            line = ", ".join(f"{k} {v:.4g}" for k, v in rows[-1].items())
            print(f"{name} {how} rate {rate:g} seed {seed}: {line}", flush=True)
        cells = []
        for key in rows[0]:
            values = torch.tensor([r[key] for r in rows], dtype=torch.float64)
            spread = f" +- {values.std():.4f}" if key in ("RMSE", "turned") else ""
            cells.append(
                f"{values.mean():,.0f}" if key in ("seconds", "parameters") else f"{values.mean():.4f}{spread}"
            )
        table.append(f"| {name} | {how} | " + " | ".join(cells) + " |")
    heads = ("network", "augmentation", "validation", "RMSE", "turned by 90 deg", "moved", "Q1 accuracy",
             "Q1, confident half", "Q11 accuracy", "s", "parameters")  # fmt: skip
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    print("\n".join(table))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
