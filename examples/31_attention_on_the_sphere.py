"""
Attention that does not see the poles
=====================================

On a map of latitudes and longitudes half of the samples crowd about the poles. Attention that counts samples looks
there; attention that counts areas gives the same answer on every sampling, and turns with the sphere. With frames that
are carried along, it serves winds too.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.laws.sphere import frame_fields, frames_of

S = st.SO2()
scalars = S.type("4x0")
fields = frame_fields(scalars, 4)
coefficients = torch.randn(fields.type.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) / 3


def field(sphere):
    """One smooth field, wherever it is sampled: ``[1, 4, *shape]``."""
    return (fields.evaluate(frames_of(sphere)) @ coefficients).T.reshape(1, 4, *sphere.shape)


def attention(sphere, targets):
    """The same weights on any sampling."""
    torch.manual_seed(1)
    layer = st.nn.SphereAttention(scalars, sphere, heads=2, targets=targets).double().requires_grad_(False)
    torch.nn.init.normal_(layer.distance)
    return layer


targets = st.Sphere.gauss(32)
reference = attention(st.Sphere.gauss(24), targets)(field(st.Sphere.gauss(24)), field(targets))
samplings = {
    "gauss": [st.Sphere.gauss(n) for n in (4, 8, 16)],
    "healpix": [st.Sphere.healpix(n) for n in (2, 4, 8)],
    "icosahedral": [st.Sphere.icosahedral(n) for n in (1, 2, 3)],
}
figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
for name, spheres in samplings.items():
    errors = []
    for sphere in spheres:
        y = attention(sphere, targets)(field(sphere), field(targets))
        errors.append(float((y - reference).norm() / reference.norm()))
    axes[0].loglog([s.num_points for s in spheres], errors, "o-", label=name)
    assert errors[-1] < errors[0] / 8
errors = []
for sphere in samplings["gauss"]:  # planted: samples count alike
    layer = attention(sphere, targets)
    layer.core._log_area.zero_()
    y = layer(field(sphere), field(targets))
    errors.append(float((y - reference).norm() / reference.norm()))
axes[0].loglog([s.num_points for s in samplings["gauss"]], errors, "s--", color="tab:red", label="gauss, no weights")
axes[0].set(xlabel="samples", ylabel="error", title="one answer on every sampling")
axes[0].set(xticks=(50, 100, 200, 500), xticklabels=(50, 100, 200, 500))
axes[0].minorticks_off()
axes[0].legend(fontsize=7)
assert errors[-1] > 0.03
axes[1].imshow(field(targets)[0, 0], cmap="RdBu_r")
axes[1].set(xticks=[], yticks=[], title="a channel")
axes[2].imshow(reference[0, 0], cmap="RdBu_r")
axes[2].set(xticks=[], yticks=[], title="after attention")
plt.show()

# %%
# Winds
# -----
# Local attention of scalars and vectors: keys and values are carried into the frame of the query. Near the pole frames
# of neighbours point everywhere; without transport the layer is held by them.

wind = S.type("2x0 + 2x1")
errors = []
for rings in (6, 9, 12):
    torch.manual_seed(0)
    layer = st.nn.SphereNeighbourAttention(wind, st.Sphere.gauss(rings), 0.9, heads=2).double()
    good = float(st.laws.sphere_errors(layer, band=3).max())
    layer.core._cos.fill_(1.0)
    layer.core._sin.fill_(0.0)
    errors.append((good, float(st.laws.sphere_errors(layer, band=3).max())))
figure, axis = plt.subplots(figsize=(4.5, 3), layout="constrained")
axis.loglog((6, 9, 12), [e[0] for e in errors], "o-", label="frames carried")
axis.loglog((6, 9, 12), [e[1] for e in errors], "s--", label="frames ignored")
axis.set(xlabel="rings", ylabel="error of equivariance", xticks=(6, 9, 12), xticklabels=(6, 9, 12))
axis.minorticks_off()
axis.legend()
plt.show()
assert errors[-1][0] < errors[0][0] / 3 and errors[-1][1] > 10 * errors[-1][0]

# %%
# Losses
# ------
# A cap about the pole: its share of the samples and of the area, and the score of a prediction that misses it.

sphere = st.Sphere.gauss(64)
truth = (sphere.angles()[..., 0] < 0.6).long()[None]
nothing = torch.zeros_like(truth)
scores = st.nn.confusion_scores(st.nn.SphereConfusion(sphere, 2)(nothing, truth))
print(f"right by samples {float((truth == nothing).double().mean()):.3f}, by area {float(scores['area_accuracy']):.3f}")
assert float((truth == nothing).double().mean()) < 0.85 < float(scores["area_accuracy"])
