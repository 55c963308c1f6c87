"""
A metric with a direction
=========================

Pixels and orientations make the group SE(2). In a metric in which a step across the orientation costs a tenth,
neighbourhoods are long, heat runs one way, and a network of the Laplacian sees lines.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains import LieGroupGraph


def heat(graph, orientation, steps):
    """What a point of heat in the centre becomes: the sum over orientations, and its own."""
    step = graph.diffusion()
    size = (graph.num_vertices,) * 2
    matrix = torch.sparse_coo_tensor(torch.stack([step.source, step.target]), step.values, size, check_invariants=False)
    x = torch.zeros(graph.shape, dtype=torch.float64)
    x[graph.shape[0] // 2, graph.shape[1] // 2, orientation] = 1
    x = x.flatten()[:, None]
    for _ in range(steps):
        x = matrix @ x
    return x.view(graph.shape)


figure, axes = plt.subplots(2, 4, figsize=(9, 4.7), layout="constrained")
for row, eps in zip(axes, (1.0, 0.1), strict=True):
    graph = LieGroupGraph.se2(31, orientations=6, eps=eps)
    for axis, orientation in zip(row, (0, 1, 3, 4), strict=True):
        angle = float(graph.points()[0, 0, orientation, 2])
        axis.imshow(heat(graph, orientation, 8).sum(-1).sqrt(), cmap="magma")
        axis.set(xticks=[], yticks=[], title=f"orientation {round(180 * angle / torch.pi)} degrees")
    row[0].set_ylabel(f"eps = {eps:g}")
plt.show()

# %%
# With ``eps = 1`` a point spreads in all directions alike. With ``eps = 0.1`` it spreads across its orientation, which
# turns with it; turning to another orientation costs as well.

isotropic, long = (heat(LieGroupGraph.se2(31, orientations=6, eps=e), 3, 8).sum(-1) for e in (1.0, 0.1))
place = torch.arange(31) - 15.0
spread = [[float((x.sum(d) * place**2).sum() / x.sum()) for d in (0, 1)] for x in (isotropic, long)]
assert abs(spread[0][0] / spread[0][1] - 1) < 0.05 and spread[1][1] > 1.5 * spread[1][0]

# %%
# The Laplacian knows the metric, not the samples
# -----------------------------------------------
# An icosphere has crowded vertices. Taken as they are, they split the eigenvalues of the sphere, which should be
# l (l + 1). Weighted by areas and divided by the density that is left, they do not.

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
for axis, weights in zip(axes, ("paper", "density"), strict=True):
    graph = LieGroupGraph.s2(st.Sphere.icosahedral(3), k=8 if weights == "paper" else 16, weights=weights)
    values, maps = graph.eigenmaps(25)
    axis.plot(values / values[1:4].mean() * 2, "o", markersize=4)
    for l in range(5):
        axis.hlines(l * (l + 1), l * l - 0.4, (l + 1) ** 2 - 0.6, color="tab:gray", linewidth=0.8)
    axis.set(title=f'weights="{weights}"', xlabel="number", ylabel="eigenvalue")
plt.show()
cluster = values[9:16]
assert float((cluster.max() - cluster.min()) / cluster.mean()) < 0.02

# %%
# A convolution
# -------------
# Polynomials of the Laplacian turn with the image, exactly.

graph = LieGroupGraph.se2(16, orientations=6, eps=0.1)
torch.manual_seed(0)
conv = st.nn.ChebConv(graph, 1, 4).double()
x = torch.randn(1, 1, 16, 16, dtype=torch.float64)
y, turned = conv(graph.lift(x)), conv(graph.lift(torch.rot90(x, 1, (2, 3))))
assert (turned - graph.move(y, st.C(4), torch.tensor(1))).abs().max() < 1e-12
