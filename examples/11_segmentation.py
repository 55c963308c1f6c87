"""
Up and down: a segmentation network
===================================

Which pixels belong to a long thing, and which to a round one? An encoder with blurred pooling, a decoder with
transposed convolutions, and a map that turns with the image.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st

torch.manual_seed(0)
SIDE = 33
points = st.domains.PixelGrid(SIDE, SIDE).points()


def scene(count, horizontal=False):
    """Images ``[count, 1, 33, 33]`` of blobs, and a map of where the long ones are."""
    angle = torch.zeros(count, 5, 1, 1) if horizontal else torch.rand(count, 5, 1, 1) * torch.pi
    offset = points.float() - (torch.rand(count, 5, 1, 1, 2) - 0.5) * 22
    u = offset[..., 0] * angle.cos() + offset[..., 1] * angle.sin()
    v = offset[..., 1] * angle.cos() - offset[..., 0] * angle.sin()
    lengths = torch.tensor([[4.0, 1.2], [2.2, 2.2], [4.0, 1.2], [2.2, 2.2], [4.0, 1.2]])[..., None, None]
    blobs = torch.exp(-((u / lengths[:, 0]) ** 2) - (v / lengths[:, 1]) ** 2)
    image, target = blobs.amax(1), (blobs[:, ::2].amax(1) > 0.3).float()
    return (image + 0.05 * torch.randn_like(image))[:, None], target[:, None]


# %%
# The sizes: 33 to 17 to 9 and back. ``BlurPool2d`` fits its window so that nothing is left over on odd and even
# sides; a transposed convolution with stride 2 is exact for every size.

G = st.C(8)
image, a, b, out = 1 * G.trivial, 3 * G.regular, 6 * G.regular, 1 * G.trivial
net = st.nn.Sequential(
    st.nn.Conv2d(image, a, 5, padding=2), st.nn.BatchNorm(a), st.nn.ReLU(a), st.nn.BlurPool2d(a),
    st.nn.Conv2d(a, b, 5, padding=2), st.nn.BatchNorm(b), st.nn.ReLU(b), st.nn.BlurPool2d(b),
    st.nn.Conv2d(b, b, 5, padding=2), st.nn.BatchNorm(b), st.nn.ReLU(b),
    st.nn.ConvTranspose2d(b, a, 5, stride=2, padding=2), st.nn.BatchNorm(a), st.nn.ReLU(a),
    st.nn.Upsample2d(a, size=SIDE),
    st.nn.Conv2d(a, out, 5, padding=2))  # fmt: skip
features = scene(2)[0]
for layer in net:
    features = layer(features)
    if isinstance(layer, st.nn.BlurPool2d | st.nn.ConvTranspose2d | st.nn.Upsample2d):
        print(f"{type(layer).__name__:16} {tuple(features.shape)}")

# %%
# Trained on horizontal things only
# ---------------------------------
# Every long thing of the training set lies along the rows. A plain network would have no reason to find others;
# this one has seen all directions by seeing one.

x, y = scene(96, horizontal=True)
optimiser = torch.optim.AdamW(net.parameters(), 2e-2)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=60)
for step in range(60):
    index = torch.randperm(len(x))[:16]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x[index]), y[index], pos_weight=torch.tensor(4.0))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    if step % 20 == 19:
        print(f"step {step + 1}: loss {loss.item():.3f}")
net.eval()


def overlap(x, y):
    """Intersection over union of the predicted and the true map."""
    with torch.no_grad():
        found = net(x) > 0
    return ((found & (y > 0)).sum() / (found | (y > 0)).sum()).item()


test, any_angle = scene(64, horizontal=True), scene(64)
print(f"overlap with the truth: horizontal {overlap(*test):.2f}, any direction {overlap(*any_angle):.2f}")
assert overlap(*any_angle) > 0.4

# %%
x, y = any_angle
figure, axes = plt.subplots(3, 6, figsize=(8, 4.1), layout="constrained")
for n in range(6):
    for row, picture in zip(axes[:, n], (x[n, 0], y[n, 0], net(x[n : n + 1]).sigmoid()[0, 0].detach()), strict=True):
        row.imshow(picture, cmap="gray", vmin=0, vmax=1)
        row.set(xticks=[], yticks=[])
for ax, text in zip(axes[:, 0], ("image", "long things", "found"), strict=True):
    ax.set_ylabel(text)
plt.show()

# %%
# By name
# -------
# ``unet`` has skips as well. On a folder of pictures and masks, ``steerable fit --config segmentation --data.root DIR``
# trains it; here are its answers before that, as the image turns.

unet = st.create_model("unet", group="D4", in_channels=1, num_classes=2, widths=(2, 4), kernel_size=3).eval()
with torch.no_grad():
    turned = unet(torch.rot90(x[:1], 1, (-2, -1)))
    print("unet:", tuple(turned.shape), (turned - torch.rot90(unet(x[:1]), 1, (-2, -1))).abs().max().item() < 1e-5)

# %%
# The map turns with the image, exactly for quarter turns.

print(st.laws.check(net, x))
assert st.laws.check(net, x).ok
