"""
Group convolutions: turn the planes, permute the orientations
=============================================================

In a group convolutional network a feature has an orientation beside its position: four quarter turns (p4) or the
eight symmetries of the square (p4m). The filters are moved by each of them, and that is a steerable convolution
between regular fields with all pixels of the filter free.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st

torch.manual_seed(2)

# %%
# One filter, eight orientations
# ------------------------------
# The layer holds ``psi``, one small filter for each pair of fields and each orientation of the input. Its moved copies
# are the filter of an ordinary ``conv2d``. Row: orientation of the output. Column: orientation of the input. Along a
# row the planes move; from row to row they change places as well.

conv = st.nn.P4MConv(1, 1, kernel_size=3, bias=False)
bank = conv.conv.filter().detach().view(8, 8, 3, 3)
figure, axes = plt.subplots(8, 8, figsize=(5.4, 5.4), layout="constrained")
for g in range(8):
    for h in range(8):
        axes[g, h].imshow(bank[g, h], cmap="RdBu_r", vmin=-0.8 * bank.abs().max(), vmax=0.8 * bank.abs().max())
        axes[g, h].set(xticks=[], yticks=[])
figure.supylabel("orientation of the output")
figure.supxlabel("orientation of the input")
plt.show()
print(f"filters of the paper {tuple(conv.psi.shape)}: {conv.conv.weight.numel()} weights make {bank.numel()} entries")
assert torch.equal(conv.psi.flatten(), conv.conv.weight)

# %%
# Features that turn: a lifted letter
# -----------------------------------
# Turn the image, and every map turns while the four orientations move on by one.

letter = torch.zeros(1, 1, 21, 21)
letter[..., 4:17, 6:9] = letter[..., 4:7, 6:15] = letter[..., 9:12, 6:13] = 1
lift = st.nn.P4Conv(1, 1, 5, padding=2, lift=True)
maps = lift(letter)[0, 0].detach()
turned = lift(torch.rot90(letter, 1, (-2, -1)))[0, 0].detach()
figure, axes = plt.subplots(2, 5, figsize=(7.2, 3), layout="constrained")
for row, (image, orientations) in enumerate([(letter, maps), (torch.rot90(letter, 1, (-2, -1)), turned)]):
    axes[row, 0].imshow(image[0, 0], cmap="gray")
    for r in range(4):
        axes[row, r + 1].imshow(orientations[r], cmap="RdBu_r", vmin=-2, vmax=2)
for r, axis in enumerate(axes.flat):
    axis.set(xticks=[], yticks=[], title=["image", "0", "90", "180", "270"][r] if r < 5 else "")
plt.show()
moved = torch.stack([torch.rot90(maps[(r - 1) % 4], 1, (-2, -1)) for r in range(4)])
assert torch.allclose(turned, moved, atol=1e-5)

# %%
# Whole networks, and a size that breaks them
# -------------------------------------------
# All networks of the paper are in the table of models. Strides need sides at which nothing is left over at one border:
# the 32 pixels of CIFAR are not among them.

images = torch.randn(2, 3, 33, 33)
net = st.create_model("allcnn_p4m", in_channels=3, num_classes=10).eval()
for side in (33, 32):
    x = images[..., :side, :side]
    try:
        y = st.nn.strict(net)(x)
        worst = max((net(torch.rot90(x.flip(-2), k, (-2, -1))) - y).abs().max().item() for k in range(4))
        print(f"{side} pixels: the scores change by {worst:.0e} under the symmetries of the square")
        assert worst < 1e-5
    except ValueError as error:
        print(f"{side} pixels: {str(error).partition(':')[2][:78].strip()} ...")

for name in ("p4cnn", "p4mcnn", "z2cnn"):
    count = sum(p.numel() for p in st.create_model(name).parameters())
    print(f"{name:7} {count} parameters: {st.models.describe_model(name)}")
