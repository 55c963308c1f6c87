"""ONNX Runtime computes the integers of the eager network, from a quarter of the bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.quant.nets import NETS, build, images

import steerable as st
from steerable.quant import export_onnx_int8, quantize
from steerable.quant.capture import simplify

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(path, x, optimised=True):
    """Logits of a file on images, in the runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": b.numpy()})[0] for b in x.split(50)])


def test_a_thousand_images_give_the_same_integers(tmp_path):
    net = build("mobilenet D8", spread=True)
    q = quantize(net, images(24, 3, 33))
    path = export_onnx_int8(q, images(1, 3, 33), tmp_path / "net.onnx")
    extreme = [3 * images(50, 3, 33, seed=10) - 1, 1e6 * (images(50, 3, 33, seed=11) - 0.5)]
    x = torch.cat([images(900, 3, 33, seed=9), *extreme])
    ours = torch.cat([q(b) for b in x.split(100)]).numpy()
    theirs = run(path, x)
    assert np.array_equal(ours, theirs)
    assert (ours.argmax(1) == theirs.argmax(1)).all()
    assert len(np.unique(ours.argmax(1))) > 1


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("optimised", [True, False])
def test_every_network_and_level_of_optimisation(name, optimised, tmp_path):
    _, _, _, side, channels = NETS[name]
    q = quantize(build(name), images(8, channels, side))
    path = export_onnx_int8(q, images(1, channels, side), tmp_path / "net.onnx")
    x = images(30, channels, side, seed=4)
    assert np.array_equal(q(x).numpy(), run(path, x, optimised))


def test_other_steps(tmp_path):
    torch.manual_seed(0)
    layers = [
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.MaxPool2d(3, 2, 1), torch.nn.ReflectionPad2d(1), torch.nn.SiLU(),
        torch.nn.ReplicationPad2d(1), torch.nn.AvgPool2d(2), torch.nn.Conv2d(8, 4, 3, dilation=2, stride=2),
        torch.nn.Sigmoid(),
    ]  # fmt: skip
    x = images(20, 3, 17)
    q = quantize(torch.nn.Sequential(*layers), x)
    assert np.array_equal(q(x).numpy(), run(export_onnx_int8(q, x, tmp_path / "a.onnx"), x))
    t = 2 * st.D(4).regular + 1 * st.D(4).trivial
    rgb = 3 * st.D(4).trivial
    net = st.nn.Sequential(
        st.nn.DiscMask(rgb), st.nn.Conv2d(rgb, t, 3), st.nn.ReLU(t), st.nn.BlurPool2d(t),
        st.nn.GroupPool(t), st.nn.GlobalMaxPool2d(), torch.nn.Linear(3, 2),
    )  # fmt: skip
    q = quantize(net.eval(), x)
    assert np.array_equal(q(x).numpy(), run(export_onnx_int8(q, x, tmp_path / "b.onnx"), x))


def test_the_file_is_a_quarter_and_its_weights_are_bytes(tmp_path):
    net = st.create_model("mobilenet_v2", group="C8").eval()
    x = images(2, 3, 97)
    path = export_onnx_int8(quantize(net, x), x, tmp_path / "net.onnx")
    dense = simplify(st.bake(net))
    number = sum(4 * t.numel() for t in dense.state_dict().values() if t.is_floating_point())
    assert 3.6 < number / path.stat().st_size < 4.2
    file = onnx.load(path)
    kinds = {t.name: t.data_type for t in file.graph.initializer}
    convolutions = [n for n in file.graph.node if n.op_type == "QLinearConv"]
    assert len(convolutions) >= 50
    assert all(kinds[n.input[3]] == onnx.TensorProto.INT8 for n in convolutions)
    assert not [n for n in file.graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
    assert {p.key: p.value for p in file.metadata_props}["format"] == "steerable-int8-1"


def test_bad_input_leaves_nothing(tmp_path):
    q = quantize(build("lens D4"), images(8, 1, 32))
    with pytest.raises(TypeError, match="expected a QuantizedModel"):
        export_onnx_int8(build("lens D4"), images(1, 1, 32), tmp_path / "a.onnx")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the size it was quantised for"):
        export_onnx_int8(q, images(1, 1, 48), tmp_path / "a.onnx")
    with pytest.raises(FileNotFoundError):
        export_onnx_int8(q, images(1, 1, 32), tmp_path / "absent" / "a.onnx")
    assert list(tmp_path.iterdir()) == []
