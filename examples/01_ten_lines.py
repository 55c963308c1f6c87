"""
A network in ten lines
======================

A classifier for colour images whose answer does not depend on how the image is turned. Tensors go in and tensors come
out; the types ``rgb`` and ``deep`` say how each channel moves when the image turns, and the layers keep to it.
"""

import torch

import steerable as st

torch.manual_seed(0)
C8 = st.C(8)  # turns by multiples of 45 degrees
rgb, deep = 3 * C8.trivial, 16 * C8.regular  # 3 plain channels; 16 fields of 8 channels, one for each orientation
net = st.nn.Sequential(
    st.nn.Conv2d(rgb, deep, kernel_size=7, padding=3), st.nn.BatchNorm(deep), st.nn.ReLU(deep),
    st.nn.BlurPool2d(deep, stride=2),
    st.nn.Conv2d(deep, deep, kernel_size=5, padding=2), st.nn.BatchNorm(deep), st.nn.ReLU(deep),
    st.nn.GroupPool(deep), st.nn.GlobalAvgPool2d(), torch.nn.Linear(16, 10))  # fmt: skip

x = torch.randn(8, 3, 65, 65)
print(net(x).shape)
assert net(x).shape == (8, 10)

# %%
# A quarter turn moves pixels onto pixels, so the promise is exact: rounding is all that is left. This holds for any
# weights, trained or not.

net.eval()
change = (net(torch.rot90(x, 1, (-2, -1))) - net(x)).abs().max()
print(f"largest change of a score under a quarter turn: {change:.0e}")
assert change < 1e-5

# %%
# At 45 degrees the pixel grid itself has to be interpolated. :func:`steerable.laws.check` sets the error of the
# network beside the floor: what turning the image there and back costs without any network.

report = st.laws.check(net, x)
print(report)
assert report.ok

# %%
# What is trained is deployed as ordinary layers: :func:`steerable.bake` expands each kernel once.

deployable = st.bake(net)
print(deployable)
assert (deployable(x) - net(x)).abs().max() < 1e-5
