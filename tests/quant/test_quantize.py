"""What quantisation costs, what it refuses, and what it writes."""

from __future__ import annotations

import math

import pytest
import torch
from tests.quant.nets import NETS, build, images
from torch import nn

import steerable as st
from steerable.quant import QuantizedModel, load, quantize, save
from steerable.quant.sums import IntConv, IntHead


def correlation(a, b):
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


@pytest.mark.parametrize("name", NETS)
def test_integer_logits_follow_those_of_numbers(name):
    _, _, _, side, channels = NETS[name]
    net = build(name)
    q = quantize(net, images(24, channels, side))
    x = images(24, channels, side, seed=5)
    with torch.no_grad():
        wanted = net(x)
    assert correlation(wanted, q(x)) > 0.99


@pytest.mark.parametrize("name", NETS)
def test_no_convolution_is_left_out(name):
    _, _, _, side, channels = NETS[name]
    net = build(name)
    layers = [m for m in net.modules() if isinstance(m, st.nn.Conv2d | nn.Linear)]
    q = quantize(net, images(8, channels, side))
    assert q.count_convolutions() >= len(layers) > 0
    held = [s for s in q.steps if isinstance(s, IntConv | IntHead)]
    assert all(s.weight.dtype == torch.int8 and s.bias.dtype == torch.int32 for s in held)
    assert not [p for p in q.parameters() if p.requires_grad]


def test_a_network_without_weights_is_refused():
    with pytest.raises(ValueError, match="no convolution"):
        quantize(nn.Sequential(nn.ReLU(), nn.Flatten()), images(4, 1, 8))


@pytest.mark.parametrize("name", ["mobilenet D8", "lens D4", "wide resnet D4"])
def test_baked_networks_quantise_to_the_same_classes(name):
    _, _, _, side, channels = NETS[name]
    net = build(name)
    x = images(24, channels, side, seed=5)
    ours, baked = quantize(net, images(16, channels, side)), quantize(st.bake(net), images(16, channels, side))
    assert [type(s) for s in ours.steps] == [type(s) for s in baked.steps]
    assert correlation(ours(x), baked(x)) > 0.999
    for a, b in zip(ours.steps, baked.steps, strict=True):
        if isinstance(a, IntConv):
            assert (a.weight != b.weight).float().mean() < 1e-3


def test_the_fast_baked_form_is_undone():
    net = st.create_model("mobilenet_v2_small", group="D8", width=4.0).eval()
    baked = st.bake(net)
    assert any(type(m).__name__ == "FourierResidual" for m in baked.modules())
    q = quantize(baked, images(4, 3, 17))
    assert q.count_convolutions() == quantize(net, images(4, 3, 17)).count_convolutions()


def test_plain_networks():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.ReflectionPad2d(1), nn.Conv2d(8, 8, 3), nn.SiLU(),
        nn.AvgPool2d(2), nn.Conv2d(8, 4, 1), nn.Hardtanh(-1.0, 1.0), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 5), nn.ELU(), nn.Linear(5, 2),
    )  # fmt: skip
    x = images(64, 3, 16)
    q = quantize(net, x)
    with torch.no_grad():
        assert correlation(q(x), net(x)) > 0.98


@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.7])
def test_means_and_sums_of_what_is_below_zero(shift):
    """Without a ReLU the integer of zero is not 0, and a sum of n integers holds it n times."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            return self.head((self.first(x) + self.second(x)).mean((2, 3)))

    torch.manual_seed(0)
    net = Net().eval()
    with torch.no_grad():
        net.first.bias.add_(shift)
    x = images(64, 3, 17)
    q = quantize(net, x)
    zeros = {type(s).__name__: z for s in q.steps for k, z in s.config().items() if k in ("in_zero", "second_zero")}
    assert zeros["IntMean"] > 0
    assert zeros["IntAdd"] > 0
    error = (q(x) - net(x)).detach().square().mean().sqrt()
    assert error < 0.05 * net(x).detach().std()


def test_a_norm_scales_the_bias_before_it():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 49, 3)).eval()
    with torch.no_grad():
        net[0].bias.uniform_(-1, 1)
        net[1].running_var.uniform_(0.05, 0.3)
        net[1].running_mean.uniform_(-0.5, 0.5)
    x = images(64, 3, 9)
    assert correlation(quantize(net, x)(x), net(x).detach()) > 0.99
    assert (quantize(net, x)(x) - net(x)).detach().abs().max() < 0.1 * net(x).detach().std()


def test_a_result_that_is_no_linear_map():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Sigmoid())
    x = images(8, 3, 16)
    q = quantize(net, x)
    assert q.integers(x).dtype == torch.uint8
    with torch.no_grad():
        assert (q(x) - net(x)).abs().max() < 0.03


def test_saving(tmp_path):
    net = build("mobilenet D4")
    q = quantize(net, images(16, 3, 33))
    save(q, tmp_path / "net.st8")
    again = load(tmp_path / "net.st8")
    x = images(4, 3, 33, seed=5)
    assert torch.equal(again.integers(x), q.integers(x))
    assert torch.equal(again(x), q(x))
    assert set(again.state_dict()) == set(q.state_dict())
    (tmp_path / "other").write_text("no model")
    with pytest.raises(ValueError, match=r"quant\.save"):
        load(tmp_path / "other")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent")
    torch.save({"config": '{"format": "older"}', "tensors": {}}, tmp_path / "older")
    with pytest.raises(ValueError, match="older"):
        load(tmp_path / "older")


BAD = {
    "nothing": ([], "calibrated on nothing"),
    "an empty iterator": (iter(()), "calibrated on nothing"),
    "an empty loader": (torch.utils.data.DataLoader([], batch_size=2), "calibrated on nothing"),
    "zeros": (torch.zeros(4, 3, 33, 33), "constant"),
    "one grey": ([torch.full((2, 3, 33, 33), 0.5)] * 2, "constant"),
    "not a number": (torch.full((4, 3, 33, 33), math.nan), "no numbers"),
    "infinite": ([torch.full((4, 3, 33, 33), math.inf)], "no numbers"),
    "vectors": ([torch.rand(4, 3)], r"\[B, C, H, W\]"),
    "an empty batch": ([torch.rand(0, 3, 33, 33)], r"\[B, C, H, W\]"),
    "several sizes": ([torch.rand(1, 3, 33, 33), torch.rand(1, 3, 49, 49)], "one size"),
}


@pytest.mark.parametrize("case", BAD)
def test_calibration_on_nothing_is_one_clear_error(case):
    batches, words = BAD[case]
    with pytest.raises(ValueError, match=words) as told:
        quantize(build("mobilenet D4"), batches)
    assert "\n" not in str(told.value)


def test_calibration_takes_loaders_and_iterators():
    net, x = build("lens D4"), images(8, 1, 32)
    whole = quantize(net, x)
    labels = torch.zeros(8)
    for batches in (
        iter(x.split(4)),
        [(x[:4], labels[:4]), (x[4:], labels[4:])],
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, labels), batch_size=3),
        [{"image": x}],
    ):
        assert torch.equal(quantize(net, batches).integers(x), whole.integers(x))


@pytest.mark.parametrize(
    "layer",
    [
        lambda t: st.nn.NormAct(t),
        lambda t: st.nn.LayerNorm(t),
        lambda t: st.nn.Upsample2d(t, 2),
        lambda t: st.nn.ConvTranspose2d(t, t, 3),
        lambda t: st.nn.Conv2d(t, t, 3, padding=1, padding_mode="reflect"),
    ],
)
def test_an_unsupported_layer_is_named(layer):
    t = 2 * st.C(4).regular
    made = layer(t)
    net = st.nn.Sequential(st.nn.Conv2d(st.C(4).trivial * 1, t, 3), made)
    with pytest.raises(TypeError, match=r"layer '1'.*has no integer form.*expected") as told:
        quantize(net, images(4, 1, 9))
    assert "\n" not in str(told.value)


def test_other_bad_arguments():
    net, x = build("lens D4"), images(4, 1, 32)
    with pytest.raises(ValueError, match="mode='int4'"):
        quantize(net, x, mode="int4")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="share='pixel'"):
        quantize(net, x, share="pixel")
    with pytest.raises(ValueError, match="weight_bits=4"):
        quantize(net, x, weight_bits=4)
    with pytest.raises(TypeError, match="int"):
        quantize(net, 7)
    with pytest.raises(TypeError, match="str"):
        quantize("net", x)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cannot be traced"):
        quantize(Looks(), x)
    broken = build("lens D4")
    with torch.no_grad():
        next(broken.parameters()).fill_(math.nan)
    with pytest.raises(ValueError, match="no numbers"):
        quantize(broken, x)
    q = quantize(net, x)
    with pytest.raises(ValueError, match="the size it was quantised for"):
        q(images(1, 1, 48))
    with pytest.raises(TypeError, match="one arithmetic"):
        q.double()


class Looks(nn.Module):
    """A network whose forward looks at values."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        return self.conv(x) if x.sum() > 0 else x


def test_the_model_is_not_changed():
    net = build("lens D4").train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    quantize(net, images(4, 1, 32))
    quantize(net, images(4, 1, 32), mode="qat")
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not [m for m in net.modules() if "check_input" in vars(m)]


def test_seven_bits_keep_products_within_sixteen():
    q = quantize(build("lens D4"), images(8, 1, 32), weight_bits=7)
    assert isinstance(q, QuantizedModel)
    assert max(int(s.weight.abs().max()) for s in q.steps if isinstance(s, IntConv)) == 63
