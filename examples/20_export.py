"""
From a trained network to a file
================================

``steerable export`` writes one file that answers by itself: ONNX, ONNX in 8-bit integers, or a program of
``torch.export``. Preparation, network, and the mean over seeds are in the graph; what the answers mean is in its
metadata. The file is read back and compared with the network before it gets its name.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import pyarrow.parquet as pq

from steerable.run.cli import main

place = Path(tempfile.mkdtemp())

# %%
# A trained network
# -----------------
# Spirals that wind to the left, to the right, or not at all: turning an image does not change the answer, mirroring it
# does. So the group is C8, without mirrors.

KINDS = ("left", "right", "rings")


def spirals(count, seed, side=25):
    """Noisy images [count, side, side] of three kinds, at random angles, and their labels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side // 2
    radius, angle = np.hypot(x, y), np.arctan2(-y, x)
    label = np.arange(count) % 3
    wind = np.array([1.0, -1.0, 0.0])[label, None, None]
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    arms = np.cos(0.8 * radius + 2 * wind * angle + phase) * np.exp(-((radius / 7) ** 2))
    return (100 + 20 * arms + 8 * rng.standard_normal(arms.shape)).astype(np.float32), label


for seed, (part, count) in enumerate({"train": 192, "val": 96, "test": 120}.items()):
    images, label = spirals(count, seed)
    np.savez(place / f"{part}.npz", x=images, y=label, classes=np.array(KINDS))

fit = ["fit", "--data.name=folder", f"--data.root={place}", "--data.scale=noise", f"--out={place / 'run'}"]
fit += ["--model.name=steerable_cnn", "--model.group=C8", "--model.options.fields=[3,4,4]"]
fit += ["--model.options.kernels=[5,3,3]", "--model.options.pool_after=[1,2]", "--train.epochs=7", "--train.lr=0.02"]
main([*fit, "--train.batch_size=32", "--train.device=cpu"])

# %%
# Two files
# ---------
# ``--out`` is a folder, because there are several formats; ``program`` would be the third. Check and calibration use
# the run's own images: validation and training, never the test part.

main(["export", str(place / "run"), "--format", "onnx", "int8", f"--out={place / 'files'}"])

# %%
# Each of them predicts
# ---------------------
# The same command as for the run, the same columns, nothing else needed.

sources = {"run": place / "run", "onnx": place / "files" / "model.onnx", "int8": place / "files" / "model.int8.onnx"}
found = {}
for name, source in sources.items():
    out = place / f"{name}.parquet"
    main(["predict", str(source), str(place / "test.npz"), f"--out={out}"])
    found[name] = pq.read_table(out).to_pydict()

truth = [KINDS[k] for k in np.load(place / "test.npz")["y"]]
probability = {n: np.array([rows[f"p_{k}"] for k in KINDS]).T for n, rows in found.items()}
weights = sum(f.stat().st_size for f in (place / "run").rglob("*.safetensors"))
print(f"{'':<9}{'kB':>8}{'accuracy':>10}{'largest difference':>20}")
for name, source in sources.items():
    size = weights if source.is_dir() else source.stat().st_size
    accuracy = np.mean([a == b for a, b in zip(found[name]["prediction"], truth)])
    print(f"{name:<9}{size / 1e3:8.1f}{accuracy:10.3f}{abs(probability[name] - probability['run']).max():20.1e}")
assert abs(probability["onnx"] - probability["run"]).max() < 1e-5

# %%
# The ONNX file is larger than the weights of the run, because kernels are expanded: it is a plain network. Floats come
# back to the last digits, integers to a few per cent of a probability.

figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for axis, name in zip(axes, ("onnx", "int8")):
    axis.plot([0, 1], [0, 1], color="0.8", lw=1)
    for k, kind in enumerate(KINDS):
        axis.plot(probability["run"][:, k], probability[name][:, k], ".", ms=4, label=kind)
    axis.set(xlabel="probability, network", ylabel=f"probability, {name}", aspect="equal")
axes[0].legend()
plt.show()

# %%
# Without steerable
# -----------------
# What a phone does: the runtime, raw pixels, names from the metadata.

session = onnxruntime.InferenceSession(str(sources["int8"]), providers=["CPUExecutionProvider"])
raw = np.load(place / "test.npz")["x"][:4, None]
answer, each = session.run(None, {"image": raw})
print([o.name for o in session.get_outputs()], answer.shape, each.shape)
assert abs(answer - probability["int8"][:4]).max() < 1e-5

# %%
# The symmetry is in the integers: a quarter turn of the raw image changes nothing.

turned = session.run(None, {"image": np.ascontiguousarray(np.rot90(raw, axes=(2, 3)))})[0]
print(f"change under a quarter turn: {abs(turned - answer).max():.1e}")
assert abs(turned - answer).max() < 1e-5
