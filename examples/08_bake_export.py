"""
Bake, export, run anywhere
==========================

Symmetry is a way to train. What is shipped is a network of ordinary layers, which every tool knows:
``torch.compile``, ``torch.export``, ONNX and its runtime.
"""

import io
import warnings

import numpy as np
import torch

import steerable as st

torch.manual_seed(0)
net = st.create_model("steerable_cnn", group="C8", in_channels=1, num_classes=5, fields=(4, 6, 8, 8, 8, 8)).eval()
x = torch.randn(2, 1, 33, 33)

# %%
# Bake
# ----
# Each steerable kernel is expanded once into the filter of a ``Conv2d``; batch norm is folded into the convolution
# before it. No group is left.

baked = st.bake(net)
print(baked.features[:4])
difference = (st.bake(net.double())(x.double()) - net(x.double())).abs().max().item()
print(f"baked against eager, float64: {difference:.0e}")
assert difference < 1e-10
net = net.float()

# %%
# Training needs few weights; the baked network has the channels of a plain one, and its speed.

weights = [sum(p.numel() for p in m.parameters()) for m in (net, baked)]
print(f"{weights[0]} learned weights, {weights[1]} after expansion")

# %%
# torch.export
# ------------
# Also works on the network as it is, without baking.

batch = torch.export.Dim("batch", min=1, max=64)
program = torch.export.export(net, (x,), dynamic_shapes=({0: batch},))
assert torch.allclose(program.module()(x[:1]), net(x[:1]), atol=1e-5)
print(len(program.graph.nodes), "nodes")

# %%
# ONNX
# ----
# Written to memory here; give a path to write a file.

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    onnx = torch.onnx.export(baked, (x,), dynamo=True, verbose=False, dynamic_shapes=({0: batch},))
buffer = io.BytesIO()
onnx.save(buffer)

import onnxruntime

session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
scores = session.run(None, {session.get_inputs()[0].name: torch.cat([x, x]).numpy()})[0]
print(scores.shape, f"largest difference {np.abs(scores[:2] - net(x).detach().numpy()).max():.0e}")
assert np.allclose(scores[:2], net(x).detach().numpy(), atol=1e-4)

# %%
# The symmetry is still there
# ---------------------------
# It sits in the numbers of the filters.

turned = session.run(None, {session.get_inputs()[0].name: torch.rot90(x, 1, (-2, -1)).numpy()})[0]
print(f"change under a quarter turn, in the runtime: {np.abs(turned - scores[:2]).max():.0e}")
assert np.abs(turned - scores[:2]).max() < 1e-4
