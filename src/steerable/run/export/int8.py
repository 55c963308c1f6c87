"""Integer networks between a preparation and a mean in floats, in one ONNX file."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import Recipe
from steerable.data.errors import InputError
from steerable.run.answer import Folder, OnnxFile
from steerable.run.export.images import Images
from steerable.run.export.write import INPUT, to_onnx
from steerable.run.units import Headed, InUnits, Tempered

OPSET = 18  # of the integer networks


class Front(nn.Module):
    """The preparation of the images.

    Args:
        recipe: its steps.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe

    def forward(self, image: Tensor) -> Tensor:
        """``[N, C, H, W] -> [N, c, h, w]``."""
        return self.recipe(image)


class Back(nn.Module):
    """From what integer networks say to the two outputs of :class:`steerable.run.export.graph.Graph`.

    Args:
        units: what stands behind each network: the unit of the target, or a temperature; else an identity.
        regression: the networks answer values and not logits.
    """

    def __init__(self, units: Sequence[nn.Module], regression: bool) -> None:
        super().__init__()
        self.units, self.regression = nn.ModuleList(units), regression

    def forward(self, *said: Tensor) -> tuple[Tensor, Tensor]:
        """S times ``[N, K]`` to ``[N, K]`` and ``[N, S, K]``."""
        each = torch.stack([unit(x) for unit, x in zip(self.units, said, strict=True)], 1)
        return (each if self.regression else each.softmax(-1)).mean(1), each


def split_units(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Return the network that was trained, and what its answer goes through: a unit, a head, or a temperature."""
    if not isinstance(model, (InUnits, Headed, Tempered)):
        return model, nn.Identity()
    network = model.model
    rest = copy.copy(model)
    rest._modules = {**model._modules, "model": nn.Identity()}
    return network, rest


def calibration(images: Images) -> Tensor:
    """Return the images to calibrate a quantiser on, ``[M, C, H, W]``.

    Raises:
        InputError: there are none.
    """
    if images.calibrate is None or not len(images.calibrate):
        raise InputError(
            f"--format int8: a quantiser needs images to calibrate on, and there are only {images.source}; expected "
            "those of training. Say --root DIR or --images PATHS."
        )
    return images.calibrate


def quantise(models: Sequence[nn.Module], recipe: Recipe, images: Images, weight_bits: int = 8) -> list[Any]:
    """Return an integer network for each model, calibrated on prepared images.

    Args:
        models: in eval mode; they are not changed.
        recipe: what is done to raw images first.
        images: with some to calibrate on.
        weight_bits: 8, or 7 for processors whose 8-bit products saturate.

    Raises:
        InputError: no images, some that tell nothing, or a layer without an integer form.
    """
    from steerable.quant import quantize

    x = recipe(calibration(images))
    try:
        return [quantize(split_units(m)[0], x.split(64), weight_bits=weight_bits) for m in models]
    except (TypeError, ValueError) as e:
        raise InputError(
            f"--format int8: {' '.join(str(e).split())}. Say --format onnx for a file in floats."
        ) from None


def assemble(
    networks: Sequence[Any],
    models: Sequence[nn.Module],
    recipe: Recipe,
    raw: Tensor,
    regression: bool,
    names: list[str],
) -> Any:
    """Return one `onnx.ModelProto` from raw images to the two outputs, for any number of images.

    Args:
        networks: integer networks, one a model.
        models: what they were made from.
        recipe: what the graph does to the images first; empty: nothing.
        raw: two images as the graph takes them.
        regression: the networks answer values.
        names: of the two outputs.

    Raises:
        ModuleNotFoundError: without the extra ``steerable[export]``.
    """
    import onnx

    from steerable.quant import export_onnx_int8

    prepared = recipe(raw)
    whole = _Whole()
    seen = INPUT
    if recipe.steps:
        seen = whole.add("front/", to_onnx(Front(recipe).eval(), (raw,), [INPUT], ["prepared"], OPSET), [INPUT])[0]
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for k, network in enumerate(networks):
            core = onnx.load(str(export_onnx_int8(network, prepared, Path(folder) / f"{k}.onnx")))
            said += whole.add(f"net{k}/", core, [seen])
    answers = tuple(network(prepared) for network in networks)
    back = Back([split_units(m)[1] for m in models], regression).eval()
    tail = to_onnx(back, answers, [f"said{k}" for k in range(len(said))], names, OPSET)
    return whole.close(raw, whole.add("back/", tail, said), names, answers[0].shape[1])


def same_integers(networks: Sequence[Any], eager: Folder, written: OnnxFile, raw: Tensor, batch: int = 64) -> float:
    """Return the share of images for which a file gives the class, or within 1e-5 the value, of the integer networks.

    Args:
        networks: integer networks.
        eager: what they were made from.
        written: the file.
        raw: images ``[N, C, H, W]`` before their preparation.
        batch: images at a time.
    """
    units = [split_units(m)[1] for m in eager.models]
    same = []
    for part in raw.split(batch):
        x = eager.recipe(part)
        own = torch.stack([u(network(x)) for u, network in zip(units, networks, strict=True)]).double()
        found = written.each(written.recipe(part))
        if eager.is_regression:
            same.append(((own - found).abs() <= 1e-5 * own.abs().amax()).all(-1).all(0))
        else:
            same.append(own.softmax(-1).mean(0).argmax(1) == found.softmax(-1).mean(0).argmax(1))
    return float(torch.cat(same).double().mean())


class _Whole:
    """An ONNX graph that grows by parts; each keeps its names behind a prefix."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.version = 0

    def add(self, prefix: str, model: Any, sources: Sequence[str]) -> list[str]:
        """Append a model whose inputs are `sources`, and return the names of its outputs."""
        from onnx import compose, helper

        graph = compose.add_prefix(model, prefix).graph
        self.version = max(self.version, model.ir_version)
        for source, given in zip(sources, graph.input, strict=True):
            self.nodes.append(helper.make_node("Identity", [source], [given.name]))
        self.nodes += graph.node
        self.tensors += graph.initializer
        return [given.name for given in graph.output]

    def close(self, raw: Tensor, outputs: Sequence[str], names: Sequence[str], width: int) -> Any:
        """Return the model from images like `raw` to outputs ``[N, width]`` and ``[N, S, width]`` of these names."""
        import onnx
        from onnx import TensorProto, helper

        seeds = sum(1 for node in self.nodes if node.op_type == "Identity" and node.output[0].startswith("back/"))
        self.nodes += [helper.make_node("Identity", [o], [n]) for o, n in zip(outputs, names, strict=True)]
        shapes = [["batch", width], ["batch", seeds, width]]
        image = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", *raw.shape[1:]])
        made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(names, shapes, strict=True)]
        graph = helper.make_graph(self.nodes, "steerable", [image], made, self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = self.version
        onnx.checker.check_model(model, full_check=True)
        return model
