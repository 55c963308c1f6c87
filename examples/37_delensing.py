"""
A lensed sky
============

On its way to us the light of the microwave background is bent: what is seen at a point comes from a point nearby. The
map is moved along the gradient of a potential, and polarisation is carried along by parallel transport. The sky, the
potential and the noise are drawn with given spectra; the displaced values are summed from the harmonics, nothing is
interpolated. Deflections are amplified: two degrees and more in place of two minutes of arc.
"""

import math

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains.homogeneous import Homogeneous
from steerable.domains.spectral import rotate_coefficients
from steerable.laws.sphere import generic_rotation
from steerable.tasks import cmb
from steerable.tasks.sky import draw_map

band, sphere = 20, st.Sphere.gauss(28)
generator = torch.Generator().manual_seed(4)
sky = cmb.draw(cmb.acoustic_power(band), 1, generator)
potential = cmb.draw(cmb.lensing_power(band, deflection=0.06), 1, generator)
frames = sphere.frames().reshape(-1, 3, 3)
fine = st.Sphere.gauss(64)  # of the pictures: the series may be summed anywhere
places = fine.frames().reshape(-1, 3, 3)
plain = cmb.fields_at(sky, 0, band, places).reshape(fine.shape)
lensed = cmb.lensed_at(sky, 0, potential, band, places).reshape(fine.shape)
strength = cmb.gradient(potential, band, places).norm(dim=1).reshape(fine.shape).rad2deg()

figure, axes = plt.subplots(2, 2, figsize=(10, 5.4), subplot_kw={"projection": "mollweide"}, layout="constrained")
shown = ((plain, "the sky"), (lensed, "lensed"), (lensed - plain, "difference"), (strength, "deflection in degrees"))
for ax, (values, title) in zip(axes.flat, shown, strict=True):
    drawn = draw_map(ax, values, fine, cmap="viridis" if values is strength else "RdBu_r")
    figure.colorbar(drawn, ax=ax, shrink=0.6)
    ax.set_title(title, fontsize=9)
plt.show()

# %%
# A turned sky with a turned potential is lensed to the turned map. That holds to rounding at any point and in any
# frame, for temperature and for polarisation, spin 2.

g = generic_rotation()
matrix = st.SO3().action(g)
for spin, name in ((0, "temperature"), (2, "polarisation")):
    field = cmb.draw(cmb.acoustic_power(band), 1, generator, spin)
    types = [Homogeneous(st.SO3(), st.SO2(), band - 1).fields(f"1x{n}").type for n in (spin, 0)]
    turned = [rotate_coefficients(c, t, g) for c, t in zip((field, potential), types, strict=True)]
    there = cmb.lensed_at(turned[0], spin, turned[1], band, frames[::9])
    here = cmb.lensed_at(field, spin, potential, band, matrix.T @ frames[::9])
    error = float((there - here).abs().max())
    print(f"{name:13} {error:.0e}")
    assert error < 1e-10

# %%
# Lensing makes B modes of E modes. There were none: this is the signal that delensing has to take away when one looks
# for gravitational waves.

lensed_field = cmb.lensed_at(field, 2, potential, band, frames).unflatten(-1, sphere.shape)
b_modes, e_modes = cmb.power_spectrum(st.nn.SHT(sphere, "1x2", band).double()(lensed_field), band, 2)[0]
l = torch.arange(2, band)
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
for values, label in ((e_modes, "E, lensed"), (b_modes, "B, lensed"), (cmb.acoustic_power(band), "E, given")):
    axes.semilogy(l, (l * (l + 1) * values[2:] / (2 * math.pi)), "--" if "given" in label else "-", label=label)
axes.set(xlabel="degree l", ylabel="l (l + 1) C / 2 pi")
axes.legend(frameon=False)
plt.show()
ratio = float(b_modes[2:].sum() / e_modes[2:].sum())
print(f"power of B modes over that of E modes: {ratio:.3f}")
assert 1e-3 < ratio < 0.5

# %%
# A network for such maps: a Wiener filter, and beside it needlets whose details are shrunk. It turns with its input up
# to the aliasing of its activations.

torch.manual_seed(0)
net = st.create_model("needlet_net", sphere="gauss(12)", in_type="1x0 + 1x2", out_type="1x2", on="sphere").double()
change = float(st.laws.sphere_errors(net).max())
print(f"needlet_net, error under a rotation: {change:.0e}")
assert change < 1e-3
