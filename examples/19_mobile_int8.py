"""
A phone-sized network in 8 bits
===============================

MobileNetV2 on regular fields: cheap 1x1 maps, a depthwise step that leaves orientations alone, and integers that keep
the symmetry to the last bit, in PyTorch and in ONNX Runtime.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import steerable as st
from steerable.models import count_macs
from steerable.quant import export_onnx_int8, quantize

# %%
# Textures
# --------
# Four kinds of noise that differ by their wavelength. Turning an image does not change its kind.


def textures(count, side=17, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 4
    radius = (torch.fft.fftfreq(side)[:, None] ** 2 + torch.fft.rfftfreq(side) ** 2).sqrt()
    ring = torch.exp(-(((radius - torch.tensor([0.1, 0.2, 0.3, 0.4])[y, None, None]) / 0.04) ** 2) / 2)
    x = torch.fft.irfft2(torch.fft.rfft2(torch.randn(count, side, side, generator=generator)) * ring, s=(side, side))
    x = x / x.std((1, 2), keepdim=True) + 1.5 * torch.randn(x.shape, generator=generator)
    return x[:, None], y


x, y = textures(240)
torch.manual_seed(0)
net = st.create_model("mobilenet_v2_small", group="D4", width=0.5, in_channels=1, num_classes=4)
optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
for _ in range(3):
    for rows in torch.randperm(len(x)).split(24):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        optimiser.step()
net.eval()

# %%
# The depthwise step
# ------------------
# One small filter a field, turned and mirrored from channel to channel: as many multiplications as an ordinary
# depthwise convolution of as many channels.

layer = [m for m in net.modules() if isinstance(m, st.nn.DepthwiseConv2d)][-1]
figure, axes = plt.subplots(2, 8, figsize=(8, 2.3))
for field, row in enumerate(axes):
    for g, axis in enumerate(row):
        axis.imshow(layer.filter()[8 * field + g, 0].detach(), cmap="RdBu", vmin=-1.5, vmax=1.5)
        axis.set_axis_off()
figure.suptitle("two fields of D(4): one filter each, in eight orientations")
print(f"{count_macs(net, x[:1]) / 1e6:.2f} million multiplications an image")

# %%
# Integers
# --------
# Scales are shared by the channels of a field, so a quarter turn or a reflection only reorders the sums.

q = quantize(net, x)
with torch.no_grad():
    agree = (q(x).argmax(1) == net(x).argmax(1)).float().mean()
print(f"{q.count_convolutions()} integer layers; classes agree with those of numbers on {agree:.0%} of the images")
turned = [torch.rot90(x[:8], k, (-2, -1)) for k in range(4)]
turned += [t.flip(-1) for t in turned]
assert all(torch.equal(q.integers(t), q.integers(x[:8])) for t in turned)
print("integer logits under all of D4:", q.integers(turned[3])[0].tolist(), "=", q.integers(x[:8])[0].tolist())

# %%
# The same integers in ONNX Runtime
# ---------------------------------

import onnxruntime

with tempfile.TemporaryDirectory() as folder:
    path = export_onnx_int8(q, x[:1], Path(folder) / "textures.onnx")
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
logits = session.run(None, {"image": x.numpy()})[0]
assert np.array_equal(logits, q(x).numpy())
print(f"{len(x)} images: every logit equal to the last bit")

# %%
# Trained with rounding
# ---------------------
# Where conversion costs accuracy, train on with rounded weights and activations; the symmetry stays.

aware = quantize(net, x, mode="qat").train()
optimiser = torch.optim.AdamW(aware.parameters(), 5e-4)
for rows in torch.randperm(len(x)).split(24):
    optimiser.zero_grad()
    torch.nn.functional.cross_entropy(aware(x[rows]), y[rows]).backward()
    optimiser.step()
q = aware.eval().convert()
assert all(torch.equal(q.integers(t), q.integers(x[:8])) for t in turned)

figure, axes = plt.subplots(1, 3, figsize=(8, 2.8))
maps = q.maps(x[:1])
residual = next(name for name in q.names if name.startswith("add"))
for axis, name in zip(axes, ("input", "model_features_2", residual), strict=True):
    busiest = maps[name][0].float().var((1, 2)).argmax()
    axis.imshow(maps[name][0, busiest], cmap="gray", vmin=0, vmax=255)
    axis.set_title({"input": "image", residual: "after the first residual sum"}.get(name, "after the stem"), fontsize=9)
    axis.set_axis_off()
figure.suptitle("maps of 8-bit integers")
