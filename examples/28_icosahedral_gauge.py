"""
Frames on the icosahedron
=========================

A sphere has no global frame: somewhere a compass must jump. On a divided icosahedron frames turn by sixths only, so
that a network can carry features from frame to frame exactly, and its answer does not depend on how they were drawn.
"""

import math

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable import laws
from steerable.kernels.hexagons import SHEAR

torch.manual_seed(0)
C6 = st.C(6)
sphere = st.Sphere.icosahedral(3)
print(sphere)

# %%
# A map of scalars, and one convolution to a regular field: six numbers at each vertex, one for each direction of an
# edge detector. All of it is seven weights: one for the centre, six around it, and the six channels are its turns.

scalars, deep = C6.type("1 trivial"), C6.type("1 regular")
layer = st.nn.IcoConv(scalars, deep, sphere, bias=False).double().requires_grad_(False)
layer.weight.copy_(torch.tensor([0.5, 1.0, -0.5, 0.0, 0.5, -1.0, -0.5]))
points = sphere.points()
centres = torch.nn.functional.normalize(torch.randn(5, 3, dtype=torch.float64), dim=1)
field = torch.exp(12 * (points @ centres.T) - 12).sum(1)[None, None]
edges = layer(field)
print(layer.weight.numel(), "weights:", tuple(field.shape), "to", tuple(edges.shape))

# %%
# Five flat charts from pole to pole hold all other vertices. Within a chart frames agree, so that the convolution is
# one ``conv2d`` over sheared hexagons; at the seams features turn by a sixth as they are copied. The first channel
# looks along one direction of its frame: it jumps from chart to chart. The largest of the six has no direction.

down = math.radians(-70.9)  # from the first axis of a chart to the line between the poles
turn = torch.tensor([[math.cos(down), -math.sin(down)], [math.sin(down), math.cos(down)]], dtype=torch.float64)
place = turn @ torch.from_numpy(SHEAR)
pictures = {"map": field, "first channel": edges[:, :1], "largest of six": edges.amax(1, keepdim=True)}
figure, axes = plt.subplots(1, 3, figsize=(9.4, 2.3), layout="constrained")
for axis, (title, values) in zip(axes, pictures.items(), strict=True):
    charts = st.nn.to_atlas(values, scalars, layer.frames)[0, 0]
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(16.0), indexing="ij")
    x, y = place @ torch.stack([columns.flatten(), -rows.flatten()]).double()
    for k, chart in enumerate(charts):
        axis.scatter(x + 8 * k, y, c=chart, s=17, marker="h", cmap="viridis", vmin=values.min(), vmax=values.max())
    axis.set(title=title, aspect="equal", xticks=[], yticks=[])
plt.show()

# %%
# The law
# -------
# All 60 rotations of the icosahedron leave the answer of a network as it is, and so do other frames. Its twin has free
# kernels and no transport: held by the charts, as a plain network would be.

nets = {
    name: st.create_model(name, level=3, widths=(4, 8), pool_after=(1,), num_classes=3).double().eval()
    for name in ("ico_cnn", "ico_cnn_plain")
}
errors = {
    name: laws.icosahedral_errors(net, field, scalars, None, layer.frames).clamp(min=1e-17)
    for name, net in nets.items()
}
wide = C6.type("4 regular")


def network(gauges):
    """Scalars to invariants in given frames."""
    torch.manual_seed(1)
    return st.nn.Sequential(
        st.nn.IcoConv(scalars, wide, sphere, gauges, path="gather"),
        st.nn.ReLU(wide),
        st.nn.IcoConv(wide, wide, sphere, gauges, path="gather"),
        st.nn.ReLU(wide),
        st.nn.GroupPool(wide),
    ).double()


with torch.no_grad():
    answers = [network(g)(field) for g in (None, laws.random_gauges(layer.frames), laws.random_gauges(layer.frames))]
change = max(float((a - answers[0]).abs().max()) for a in answers)
print(f"frames drawn again change the answer by {change:.0e}")

figure, axis = plt.subplots(figsize=(6.4, 3), layout="constrained")
for name, found in errors.items():
    axis.semilogy(found.sort().values, "o", ms=3, label=f"{name}: at most {float(found.max()):.0e}")
axis.set(xlabel="rotations of the icosahedron, sorted", ylabel="relative change of the logits", ylim=(1e-18, 10))
axis.legend(frameon=False, loc="center right")
plt.show()
assert float(errors["ico_cnn"].max()) < 1e-12 and change < 1e-12
assert float(errors["ico_cnn_plain"].max()) > 1e-4
