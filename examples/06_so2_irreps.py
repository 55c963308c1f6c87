"""
All rotations: irreps with norms, gates and Fourier activations
===============================================================

For SO(2) there is no finite list of orientations. Features are irreps: frequency 0 are scalars, 1 vectors, 2
shears. A pointwise ReLU on the components of a vector would break the symmetry, so the nonlinearity acts on
lengths (``NormAct``), by gates (``Gate``), or on samples of the function whose Fourier coefficients the field
holds (``FourierAct``).
"""

import matplotlib.pyplot as plt
import torch

import steerable as st

torch.manual_seed(0)
G = st.SO2()
image, out = G.type("1x0"), G.type("1x0 + 1x1")  # a scalar and a vector come out


def net(fields, activation, before=None):
    """Three convolutions with one kind of activation between them."""
    before = before or fields
    return st.nn.Sequential(
        st.nn.Conv2d(image, before, 5, padding=2), activation(fields),
        st.nn.Conv2d(fields, before, 5, padding=2), activation(fields),
        st.nn.Conv2d(fields, out, 5, padding=2)).eval()  # fmt: skip


irreps = G.type("8x0 + 8x1 + 8x2")
functions = 8 * G.spectral_regular(3)  # each field: a function on the circle, up to frequency 3
nets = {
    "norms": net(irreps, st.nn.NormAct),
    "gates": net(irreps, st.nn.Gate, st.nn.Gate.gated_type(irreps)),
    "Fourier, 16 samples": net(functions, st.nn.FourierAct),
}
for name, module in nets.items():
    print(f"{name:20} {module[0].out_type!r}, {sum(p.numel() for p in module.parameters())} weights")

# %%
# The rule is enforced where a network is built, with the way out in the message:

try:
    st.nn.ReLU(irreps)
except TypeError as error:
    print(error)

# %%
# Error against the angle
# -----------------------
# The layers know every rotation; what is left is the pixel grid, and for the Fourier activation the number of
# samples.

x = torch.randn(4, 1, 33, 33)
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for name, module in nets.items():
    curve = st.laws.error_against_angle(module, x)
    axes.plot(curve.degrees, curve.errors, marker="o", ms=3, label=name)
    print(f"{name:20} at 90 degrees {curve.errors[-1]:.0e}, worst {curve.worst[1]:.3f} at {curve.worst[0]:.0f}")
    assert curve.errors[-1] < 1e-5
axes.plot(curve.degrees, curve.floor, color="0.6", label="resampling alone")
axes.set(xlabel="angle (degrees)", ylabel="relative error", ylim=(0, 0.1))
axes.legend(frameon=False, ncols=2)
plt.show()

# %%
# The vector that comes out is a vector
# -------------------------------------
# Turn the image by a quarter, and the arrows turn with it: positions and directions.

gates = nets["gates"].double()
x = x.double()
grid = st.domains.PixelGrid.of(x)
quarter = torch.tensor(torch.pi / 2, dtype=torch.float64)
left = gates(grid.transform(x, image, quarter))
right = grid.transform(gates(x), out, quarter)
print(f"relative error: {((left - right).norm() / right.norm()).item():.0e}")
assert torch.allclose(left, right)
