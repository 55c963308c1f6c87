"""
A gradient, learned on the sphere
=================================

The gradient takes scalars on the sphere to tangent vectors and commutes with rotations. Between fields of spin 0 and
spin 1 the maps that do are one number (two with the curl) for each degree; the layer finds them from samples.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains import Homogeneous
from steerable.groups import spherical_harmonics

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
BAND = 8
SO3, SO2 = st.SO3(), st.SO2()

# %%
# The sphere is SO(3) over SO(2). A field of spin 1 has two components along the axes of a frame at each point; as
# coefficients it is two copies, electric and magnetic, of every degree from 1 on.

sphere = Homogeneous(SO3, SO2, BAND)
scalars, vectors = sphere.fields("1x0"), sphere.fields("1x1")
layer = st.nn.HomLinear(scalars, vectors, bias=False)
print(layer, f"{layer.weight.numel()} numbers", sep="\n")

# %%
# Random functions on the grid of the sphere, and their gradients by automatic differentiation: what the layer knows of
# gradients is in these samples alone.

analyse, sample = st.nn.HomAnalysis(scalars), st.nn.HomSynthesis(vectors)
points, frames = sphere.coset(sample.elements), SO3.action(sample.elements)


def functions(count, points):
    """Values ``[count, q]`` of random functions, and their gradients ``[count, q, 3]``."""
    p = points.clone().requires_grad_()
    values = spherical_harmonics(p / p.norm(dim=-1, keepdim=True), range(BAND + 1)) @ torch.randn(
        (BAND + 1) ** 2, count
    )
    slopes = [torch.autograd.grad(v.sum(), p, retain_graph=True)[0] for v in values.T]
    return values.detach().T, torch.stack(slopes)


def in_frames(slopes):
    """Vectors ``[B, q, 3]`` to components ``[B, 2, q]`` along the first two axes of each frame."""
    return torch.einsum("qxi,bqx->biq", frames[..., :2], slopes)


f, slopes = functions(8, points)
optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=100, line_search_fn="strong_wolfe")
history = []


def loss():
    """Mean square of the miss."""
    optimiser.zero_grad()
    found = (sample(layer(analyse(f[:, None]))) - in_frames(slopes)).square().mean()
    found.backward()
    history.append(found.item())
    return found


optimiser.step(loss)
print(f"{len(history)} evaluations, mean square from {history[0]:.1f} to {history[-1]:.0e}")

# %%
# What it found: ``k_l = sqrt(l (l + 1))`` and no curl.

numbers = torch.stack([layer.coefficients()[str(l)].flatten().detach() for l in range(1, BAND + 1)])
degrees = torch.arange(1, BAND + 1)
exact = (degrees * (degrees + 1)).sqrt()
size = numbers.abs().amax(1)
print("relative error of k_l:", ", ".join(f"{e:.0e}" for e in (size / exact - 1).abs()))
assert float((size / exact - 1).abs().max()) < 1e-3 and float(numbers.abs().amin(1).max()) < 1e-3

f, slopes = functions(3, points)
with torch.no_grad():
    found = sample(layer(analyse(f[:, None])))
miss = (found - in_frames(slopes)).norm() / in_frames(slopes).norm()
print(f"relative error on new functions: {miss:.0e}")

# %%
# On a function it has not seen, the learned gradient as arrows: they climb.

test = torch.randn(1, scalars.type.size) * torch.cat([torch.full((2 * l + 1,), 1 / (l + 1)) for l in range(BAND + 1)])
latitude, longitude = torch.linspace(-1.45, 1.45, 60), torch.linspace(-torch.pi, torch.pi, 120)
with torch.no_grad():
    gradient = layer(test)


def at(step):
    """Values, and the components of the gradient to the east and to the north, on a lattice of directions."""
    b, a = torch.meshgrid(latitude[::step], longitude[::step], indexing="ij")
    here = sphere.section(torch.stack([b.cos() * a.cos(), b.cos() * a.sin(), b.sin()], -1).view(-1, 3))
    south, east = (vectors.evaluate(here) @ gradient[0]).T.view(2, *a.shape)  # the axes of the frames
    return a.rad2deg(), b.rad2deg(), (scalars.evaluate(here) @ test[0]).view(a.shape), east, -south


figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4), width_ratios=(2, 1), layout="constrained")
a, b, values, *_ = at(1)
left.pcolormesh(a, b, values, cmap="RdBu_r", shading="gouraud")
a, b, _, east, north = at(5)
left.quiver(a, b, east, north, width=0.0025)
left.set(xlabel="longitude", ylabel="latitude", title="a function and its learned gradient")
fine = torch.linspace(1, BAND, 100)
right.plot(fine, (fine * (fine + 1)).sqrt(), color="0.6", label="sqrt(l (l + 1))")
right.plot(degrees, size, "o", ms=4, label="learned")
right.set(xlabel="degree l", title="one number a degree")
right.legend()
plt.show()
