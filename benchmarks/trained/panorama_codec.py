"""Compression of panoramas: convolutions on HEALPix against the equirectangular twin of equal parameters.

Run: ``STEERABLE_DATA=... python -m benchmarks.trained.panorama_codec [--out DIR] [--steps 1800] [--seeds 0 1 2]``;
about 20 minutes of one core. Every trained network leaves its point in ``DIR/points.json`` and its weights
beside it, so a run that was stopped goes on where it was.

Both codecs have the same layers, widths and parameters; nside 32 (12,288 pixels) stands beside 80 x 160 (12,800). Two
sets: *real*, trained on random rotations of a photograph and tested on the Earth, upright and as eight rotations; and
*synthetic*, trained and tested on different made-up panoramas (textures with edges). No test picture is seen in
training, and nothing is chosen by it. One codec is trained for each set, twin and seed at the highest rate and then
tuned for each lower one.

The truth is the panorama at 128 x 256, the mean of its own pixels; each codec sees its own resampling of the full
picture, and what it gives back is resampled to 128 x 256, where WS-PSNR is taken. Rates are those of the files that are
written, headers included, in bits for each of 12,288 parts of the sphere. Beside it stands what the resampling alone
costs: WS-PSNR without any codec.

``--time`` prints only how the time of a convolution grows with the pixels, nside 16 to 128: CPU time, the least of
several runs, in batches of 196,608 pixels in all (a single small map stays in the cache and is faster).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.domains import Sphere
from steerable.domains.sphere import RingSphere
from steerable.models.codec import Codec
from steerable.models.sphere_codec import EquirectCodec, SphereCodec
from steerable.nn import HealpixConv
from steerable.tasks.panoramas import (
    bd_rate,
    panorama,
    panorama_sphere,
    resample,
    synthetic_panorama,
    turned_views,
    ws_psnr,
)

PARTS = 12288
KINDS = ("healpix", "equirect")


def grid(kind: str, nside: int) -> RingSphere:
    """Where a codec works."""
    if kind == "healpix":
        return Sphere.healpix(nside, nested=True)
    height = 5 * nside // 2
    return panorama_sphere(torch.empty(height, 2 * height))


def codec(kind: str, nside: int, width: int, stages: int) -> Codec:
    """Untrained."""
    sizes = {"width": width, "latents": width, "hyper": width // 2, "stages": stages}
    if kind == "healpix":
        return SphereCodec(Sphere.healpix(nside, nested=True), **sizes)
    return EquirectCodec(5 * nside // 2, **sizes)


def pictures(which: str, nside: int, views: int, root: str | None) -> dict[str, dict[str, Tensor]]:
    """Training views on each grid, and test views on each grid and where they are judged."""
    judge = grid_of_judge(nside)
    found: dict[str, dict[str, Tensor]] = {"train": {}, "test": {}}
    if which == "real":
        photograph = panorama("photograph", root)
        small = panorama_sphere(torch.empty(8 * nside, 16 * nside))  # fine enough to turn, and cheaper
        train, test = [resample(photograph, panorama_sphere(photograph), small)], [panorama("earth", root)]
    else:
        train, test = ([synthetic_panorama(k, 6 * nside) for k in range(*r)] for r in ((0, 24), (1000, 1004)))
    for kind in KINDS:
        place = grid(kind, nside)
        found["train"][kind] = torch.cat([turned_views(x, place, views // len(train), k) for k, x in enumerate(train)])
        found["test"][kind] = tested(test, place, 8 // len(test))
    found["test"]["judge"] = tested(test, judge, 8 // len(test))
    return found


def tested(images: list[Tensor], place: RingSphere, turns: int) -> Tensor:
    """Each picture upright, and turned."""
    upright = torch.stack([resample(x, panorama_sphere(x), place) for x in images])
    return torch.cat([upright, *(turned_views(x, place, turns, 500 + k) for k, x in enumerate(images))])


def grid_of_judge(nside: int) -> RingSphere:
    """The common grid."""
    return panorama_sphere(torch.empty(4 * nside, 8 * nside))


def train(net: Codec, views: Tensor, trade: float, steps: int, rate: float, batch: int) -> None:
    """Adam, with a learning rate that falls to a twentieth along a cosine."""
    optimiser = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, rate / 20)
    net.train()
    for _ in range(steps):
        loss = net.loss(recoloured(views[torch.randint(0, len(views), (batch,))]), trade)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
    net.eval()


def recoloured(x: Tensor) -> Tensor:
    """Maps with their colours exchanged, and each fainter or negative: one photograph does not hold all colours."""
    x = x[:, torch.randperm(x.shape[1])]
    contrast, place, sign = torch.rand(3, len(x), *(1,) * (x.dim() - 1))
    contrast = 0.5 + 0.5 * contrast
    y = contrast * x + place * (1 - contrast)
    return torch.where(sign < 0.5, y, 1 - y)


def score(net: Codec, kind: str, nside: int, test: dict[str, Tensor]) -> tuple[float, float, float]:
    """Bits a part in written files, WS-PSNR on the common grid, and written over estimated bits less 1."""
    judge, bits, quality, estimate = grid_of_judge(nside), 0, [], 0.0
    for x, truth in zip(test[kind], test["judge"], strict=True):
        data = net.compress(x[None])
        with torch.no_grad():
            estimate += float(net(x[None]).bits)
        bits += 8 * len(data)
        back = resample(net.decompress(data).clamp(0, 1), grid(kind, nside), judge)
        quality.append(float(ws_psnr(back, truth[None], judge)))
    return bits / len(quality) / PARTS, float(np.mean(quality)), bits / estimate - 1


def ceiling(kind: str, nside: int, test: dict[str, Tensor]) -> float:
    """WS-PSNR of the resampling alone."""
    judge = grid_of_judge(nside)
    back = resample(test[kind], grid(kind, nside), judge)
    return float(ws_psnr(back, test["judge"], judge).mean())


def run(args: argparse.Namespace) -> dict[str, list[float]]:
    """Train what is not there yet; all points ``set/kind/seed/trade -> [rate, quality, excess, ceiling]``."""
    args.out.mkdir(parents=True, exist_ok=True)
    file, sizes = args.out / "points.json", args.out / "sizes.json"
    mine = {k: getattr(args, k) for k in ("nside", "width", "stages", "views", "batch", "steps", "tune", "trades")}
    if sizes.exists() and json.loads(sizes.read_text()) != mine:
        raise SystemExit(f"{args.out} holds points of other sizes, {sizes.read_text()}; give another --out")
    sizes.write_text(json.dumps(mine))
    points = json.loads(file.read_text()) if file.exists() else {}
    for which in args.sets:
        names = {(k, s): [f"{which}/{k}/{s}/{t:g}" for t in args.trades] for k in KINDS for s in args.seeds}
        if all(n in points for several in names.values() for n in several):
            continue
        data = pictures(which, args.nside, args.views, args.root)
        for (kind, seed), several in names.items():
            torch.manual_seed(seed)
            net, last = codec(kind, args.nside, args.width, args.stages), args.out / f"{which}_{kind}_{seed}.pt"
            for k, (trade, name) in enumerate(zip(args.trades, several, strict=True)):
                if name in points:
                    continue
                if k:
                    net.load_state_dict(torch.load(last, weights_only=True))
                start = time.perf_counter()
                steps, rate = (args.steps, 1e-2) if k == 0 else (args.tune, 4e-3)
                train(net, data["train"][kind], trade, steps, rate, args.batch)
                points[name] = [*score(net, kind, args.nside, data["test"]), ceiling(kind, args.nside, data["test"])]
                bits, quality, excess, top = points[name]
                print(
                    f"{name}: {bits:.3f} bits, {quality:.2f} dB (no codec {top:.2f}), files {100 * excess:+.2f} % of "
                    f"the estimate; {time.perf_counter() - start:.0f} s",
                    flush=True,
                )
                torch.save(net.state_dict(), last)
                file.write_text(json.dumps(points, indent=1))
    return points


def report(points: dict[str, list[float]], out: Path) -> None:
    """BD-rates and their spread over seeds, and the figure."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    curves: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for name, (bits, quality, *_) in points.items():
        which, kind, seed, _ = name.split("/")
        curves[which, kind, seed].append((bits, quality))
    sets = sorted({k[0] for k in curves})
    figure, axes = plt.subplots(1, len(sets), figsize=(4.5 * len(sets), 3.6), layout="constrained", squeeze=False)
    for which, ax in zip(sets, axes[0], strict=True):
        saved = []
        for seed in sorted({k[2] for k in curves if k[0] == which}):
            pair = [sorted(curves[which, kind, seed]) for kind in ("equirect", "healpix")]
            for curve, colour, label in zip(pair, ("0.5", "C0"), ("equirectangular", "HEALPix"), strict=True):
                ax.plot(*zip(*curve, strict=True), "o-", ms=3, lw=1, color=colour, label=label)
            try:
                saved.append(bd_rate(*pair))
            except ValueError as e:  # too few steps for the curves to make sense
                print(f"{which}, seed {seed}: no BD-rate: {e}")
                saved.append(float("nan"))
        text = ", ".join(f"{s:+.1f}" for s in saved)
        print(f"{which}: BD-rate of HEALPix against equirectangular {np.nanmean(saved):+.1f} % (seeds {text})")
        ax.set(xlabel="bits for each of 12,288 parts", title=f"{which}: BD-rate {np.nanmean(saved):+.1f} %")
        handles, labels = ax.get_legend_handles_labels()
        ax.legend(handles[:2], labels[:2], frameon=False)
    axes[0, 0].set_ylabel("WS-PSNR (dB)")
    figure.savefig(out / "rate_distortion.png", dpi=120)


def growth(channels: int = 16, rounds: int = 12) -> float:
    """Exponent of the CPU time of one convolution of a map in the number of its pixels."""
    sides = (16, 32, 64, 128)
    cases, least = [], dict.fromkeys(sides, float("inf"))
    for nside in sides:
        sphere, maps = Sphere.healpix(nside, nested=True), (sides[-1] // nside) ** 2
        cases.append((nside, HealpixConv(channels, channels, sphere), torch.randn(maps, channels, sphere.num_points)))
    with torch.no_grad():
        for _ in range(rounds):  # all sizes in turn, so that a busy machine slows all alike
            for nside, conv, x in cases:
                start = time.process_time()
                conv(x)
                least[nside] = min(least[nside], (time.process_time() - start) / len(x))
    exponent = float(np.polyfit(np.log([12 * n**2 for n in sides]), np.log(list(least.values())), 1)[0])
    print(", ".join(f"nside {n}: {1e3 * s:.2f} ms" for n, s in least.items()))
    print(f"exponent of the time in the pixels: {exponent:.3f}")
    return exponent


def main() -> None:
    """Train, print a line for each point, then BD-rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("runs/panorama_codec"))
    parser.add_argument("--root", default=None, help="folder of the data sets; default STEERABLE_DATA")
    parser.add_argument("--sets", nargs="+", default=["real", "synthetic"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trades", type=float, nargs="+", default=[0.03, 0.006, 0.0015, 0.0004], help="largest first")
    parser.add_argument("--nside", type=int, default=32)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--stages", type=int, default=3)
    parser.add_argument("--views", type=int, default=48, help="training views of a set")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1800, help="for the highest rate")
    parser.add_argument("--tune", type=int, default=400, help="for each lower rate")
    parser.add_argument("--time", action="store_true", help="measure the growth of the time, and nothing else")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.time:
        growth()
        return
    report(run(args), args.out)


if __name__ == "__main__":
    main()
