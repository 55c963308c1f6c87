"""
A wind turns as a vector
========================

The wind is a field of spin 1: at every point an arrow in the tangent plane, with components along south and east. When
the globe turns, the arrows move to other places *and* turn against the local axes, most of all near the poles. A layer
that treats the two components as two scalar maps cannot know that. A steerable one does.
"""

import math

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.laws.sphere import frame_fields, frames_of, generic_rotation
from steerable.tasks.sky import draw_field, draw_map

torch.manual_seed(0)
sphere = st.Sphere.gauss(24)
S = st.SO2()

# %%
# Of a pressure to the wind that it drives: one convolution from spin 0 to spin 1.

pressure = frame_fields(S.type("1x0"), band=5)
c = torch.randn(1, pressure.type.size, dtype=torch.float64)
turned = pressure.type.transform(c, generic_rotation())


def sampled(coefficients):
    """Values [1, 1, 24, 48]."""
    return (pressure.evaluate(frames_of(sphere))[:, 0] @ coefficients[0]).reshape(1, 1, *sphere.shape)


layer = st.nn.SphereConv(S.type("1x0"), S.type("1x1"), sphere, 0.5).double().eval()
with torch.no_grad():
    wind, wind_of_turned = layer(sampled(c)), layer(sampled(turned))
turned_wind = sphere.transform(wind, S.type("1x1"), generic_rotation())

figure, axes = plt.subplots(1, 3, figsize=(12, 2.6), subplot_kw={"projection": "mollweide"}, layout="constrained")
shown = ((sampled(c), wind, "wind of the pressure"), (sampled(turned), wind_of_turned, "wind of the turned pressure"))
for ax, (scalar, vector, title) in zip(axes, (*shown, (sampled(turned), turned_wind, "turned wind")), strict=True):
    draw_map(ax, scalar[0, 0], sphere, rows=120, cmap="RdBu_r", alpha=0.7)
    draw_field(ax, vector[0], sphere)
    ax.set_title(title, fontsize=9)
plt.show()

# %%
# The second and the third picture are the same, to the error of the quadrature.

root = sphere.weights().sqrt()
error = float(((wind_of_turned - turned_wind) * root).norm() / (wind * root).norm())
print(f"steerable, spin 0 to spin 1:            {error:.1e}")
assert error < 2e-3

# %%
# The same kernel, held by north: two scalar maps. Equivariant about the poles only, and the error does not fall with
# the resolution.

plain = st.C(1)
north = st.nn.SphereConv(plain.type("1 trivial"), plain.type("2 trivial"), sphere, 0.5).double().eval()
errors = st.laws.sphere_errors(north)
print(f"held by north, a directional kernel:    {float(errors.max()):.2f}")
assert float(errors.max()) > 0.3
print(f"mode: {layer.mode} and {north.mode}, radius {math.degrees(layer.radius):.0f} degrees")
