"""
A panorama in a few hundred bytes
=================================

An equirectangular image spends most of its pixels near the poles. The pixels of HEALPix have equal areas, and their
neighbours are known, so an image codec can be learned on the sphere itself. This script trains one for a few seconds
and writes a file with it.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.models import SphereCodec
from steerable.tasks.panoramas import panorama_sphere, resample, synthetic_panorama, turned_views, ws_psnr

torch.manual_seed(0)
sphere = st.Sphere.healpix(16, nested=True)

# %%
# One image, three grids
# ----------------------
# ``resample`` takes the mean over the area of each sample.

image = synthetic_panorama(7, height=128)
whole = panorama_sphere(image)
x = resample(image, whole, sphere)
back = resample(x, sphere, whole)
print(f"{image[0].numel():,} pixels of the image, {x[0].numel():,} of the sphere")
print(f"there and back: {float(ws_psnr(back[None], image[None], whole)):.1f} dB, weighted by area")

# %%
# A convolution of twelve images
# ------------------------------
# Inside each of the twelve base pixels it is an ordinary convolution. Quarter turns about the poles are exact.

conv = st.nn.HealpixConv(3, 4, sphere).double().requires_grad_(False)
quarter = sphere.permutation(st.SO2(), st.SO2().grid(4)[1])


def turn(f):
    """A quarter turn to the east."""
    return torch.empty_like(f).index_copy(-1, quarter, f)


f = x[None].double()
error = (conv(turn(f)) - turn(conv(f))).abs().max()
print(f"quarter turn: {error:.0e}")
assert error < 1e-12

# %%
# Train, write, read
# ------------------
# Random turns of other panoramas; bits a pixel against the error over the sphere.

views = torch.cat([turned_views(synthetic_panorama(k, height=64), sphere, 4, seed=k) for k in range(6)])
codec = SphereCodec(sphere, width=12, latents=12, hyper=6, stages=2)
optimiser = torch.optim.Adam(codec.parameters(), 5e-3)
for _ in range(250):
    loss = codec.loss(views[torch.randint(0, len(views), (2,))], trade=0.02)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(codec.parameters(), 5.0)
    optimiser.step()
codec.eval()

data = codec.compress(x[None])
with torch.no_grad():
    estimate = float(codec(x[None]).bits)
seen = codec.decompress(data).clamp(0, 1)
quality = float(ws_psnr(seen, x[None], sphere))
floor = float(ws_psnr(x.mean(1, keepdim=True).expand_as(x)[None], x[None], sphere))
print(f"{len(data):,} bytes: {8 * len(data) / x[0].numel():.2f} bits a pixel, estimated {estimate / x[0].numel():.2f}")
print(f"{quality:.1f} dB; the mean colour alone {floor:.1f}")
assert torch.equal(codec.read(data).quantised, codec.symbols(x[None]).quantised)
assert abs(8 * (len(data) - 18) / estimate - 1) < 0.02

# %%
# The panorama, its samples on the sphere, and what the file holds.

figure, axes = plt.subplots(1, 3, figsize=(11, 2.3), layout="constrained")
shown = {"the image": image, f"{x[0].numel():,} pixels": back, f"{len(data):,} bytes": resample(seen[0], sphere, whole)}
for ax, (title, picture) in zip(axes, shown.items(), strict=True):
    ax.imshow(picture.clamp(0, 1).permute(1, 2, 0), extent=(0, 360, -90, 90))
    ax.set(title=title, xticks=(0, 180, 360), yticks=(-90, 0, 90))
plt.show()
