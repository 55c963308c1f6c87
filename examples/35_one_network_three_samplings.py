"""
One network, three samplings of the sphere
==========================================

A kernel on the sphere is a function of the distance and the direction from one point to another. It knows nothing of
the grid, so the weights that a network learned on one sampling serve on every other. Here one network with random
weights reads the same field from Gauss rings, HEALPix pixels and the vertices of an icosahedron.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.laws.sphere import frame_fields, frames_of, generic_rotation
from steerable.tasks.sky import draw_map

torch.manual_seed(0)
samplings = {
    "Gauss, 32 x 64": st.Sphere.gauss(32),
    "HEALPix, nside 16": st.Sphere.healpix(16),
    "icosahedron, level 4": st.Sphere.icosahedral(4),
}

# %%
# A random field, known by its harmonics, and the same field turned: rotations are made on the coefficients, never by
# interpolation.

fields = frame_fields(st.SO2().type("1x0"), band=6)
c = torch.randn(1, fields.type.size) / 6
turned = fields.type.transform(c.double(), generic_rotation()).float()


def sampled(coefficients, sphere):
    """Values [1, 1, *shape]."""
    values = fields.evaluate(frames_of(sphere)).float()[:, 0] @ coefficients[0]
    return values.reshape(1, 1, *sphere.shape)


# %%
# The weights are made once. The radius of the kernels is given in radians, so that they mean the same everywhere.

networks = {}
for name, sphere in samplings.items():
    networks[name] = st.create_model("sphere_cnn", sphere=sphere, widths=(6, 8), radius=0.25, num_classes=3).eval()
first = next(iter(networks.values()))
for network in networks.values():
    network.load_state_dict(first.state_dict())

figure, axes = plt.subplots(1, 3, figsize=(10, 2.4), subplot_kw={"projection": "mollweide"}, layout="constrained")
rows = []
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    sphere = samplings[name]
    with torch.no_grad():
        rows.append(torch.cat([network(sampled(c, sphere)), network(sampled(turned, sphere))]))
    draw_map(ax, sampled(c, sphere)[0, 0], sphere, rows=120, cmap="RdBu_r")
    ax.set_title(f"{name}: {sphere.num_points} samples", fontsize=9)
    print(f"{name:22}", *(f"{v:8.4f}" for v in rows[-1][0]), "  turned", *(f"{v:8.4f}" for v in rows[-1][1]))
plt.show()
spread = torch.stack(rows).flatten(0, 1)
assert float((spread - spread.mean(0)).abs().max()) < 0.02 * float(spread.abs().max())
