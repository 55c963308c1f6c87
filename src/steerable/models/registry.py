"""Models by name: one explicit table."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import inspect
from typing import Any, NamedTuple

from torch import nn


class Entry(NamedTuple):
    """One row of the table: module, builder, fixed arguments, a description, a side that is exact, what it takes."""

    module: str
    builder: str
    fixed: dict[str, Any]
    about: str
    side: int
    domain: str = "images"


def _wrn(depth: int, widen: int, groups: str | None = None, side: int = 33, plain: bool = False, **fixed: Any) -> Entry:
    """A row for a wide ResNet; ``groups`` such as ``"D8 D4 D1v"`` are those of its stages."""
    fixed = {"depth": depth, "widen": widen, **fixed}
    if plain:
        return Entry("plain_wide_resnet", "PlainWideResNet", fixed, f"plain wide ResNet {depth}-{widen}", side)
    about = f"equivariant wide ResNet {depth}-{widen}"
    if groups:
        fixed["groups"] = tuple(groups.split())
        about += f", {groups}"
    if "match" in fixed:
        about += f", equal {fixed['match']}"
    if fixed.get("initial_stride", 1) > 1:
        about += ", first stride 2"
    return Entry("wide_resnet", "WideResNet", fixed, about, side)


_TABLE: dict[str, Entry] = {
    "steerable_cnn": Entry(
        "steerable_cnn", "SteerableCNN", {}, "six convolutions on regular fields, E(2) benchmark style", 29
    ),
    "steerable_cnn_plain": Entry("plain_cnn", "PlainCNN", {}, "plain twin of steerable_cnn", 29),
    "lens_cnn": Entry("lens", "LensCNN", {}, "small invariant network for residuals of gravitational lenses", 64),
    "lens_cnn_plain": Entry("lens", "LensCNNPlain", {}, "plain twin of lens_cnn", 64),
    "mobilenet_v2": Entry("mobilenet", "MobileNetV2", {}, "MobileNetV2 on regular fields: cheap inference, int8", 97),
    "mobilenet_v2_plain": Entry("plain_mobilenet", "PlainMobileNetV2", {}, "plain twin of equal channels", 97),
    "mobilenet_v2_small": Entry(
        "mobilenet", "MobileNetV2", {"table": "small"}, "MobileNetV2 on regular fields for 32 to 64 pixels", 33
    ),
    "mobilenet_v2_small_plain": Entry(
        "plain_mobilenet", "PlainMobileNetV2", {"table": "small"}, "plain twin of equal channels", 33
    ),
    "wrn10_1": _wrn(10, 1),
    "wrn10_4": _wrn(10, 4),
    "wrn16_4": _wrn(16, 4),
    "wrn16_8": _wrn(16, 8),
    "wrn28_7": _wrn(28, 7),
    "wrn28_10": _wrn(28, 10),
    "wrn10_1_plain": _wrn(10, 1, plain=True),
    "wrn10_4_plain": _wrn(10, 4, plain=True),
    "wrn16_4_plain": _wrn(16, 4, plain=True),
    "wrn16_8_plain": _wrn(16, 8, plain=True),
    "wrn28_7_plain": _wrn(28, 7, plain=True),
    "wrn28_10_plain": _wrn(28, 10, plain=True),
    # published: CIFAR (28-7 is the small one), STL-10 with a first stride of 2, and the lensing project of 2023; the
    # reflection that is left at the end exchanges left and right
    "wrn28_10_d8d4d1": _wrn(28, 10, "D8 D4 D1v", init="delta"),
    "wrn28_10_d8d4d4": _wrn(28, 10, "D8 D4 D4", init="delta"),
    "wrn28_10_d1d1d1": _wrn(28, 10, "D1v D1v D1v", init="delta"),
    "wrn28_10_c8c4c1": _wrn(28, 10, "C8 C4 C1", init="delta"),
    "wrn28_10_d8d4d1_star": _wrn(28, 10, "D8 D4 D1v", init="delta", match="channels"),
    "wrn28_7_d8d4d1": _wrn(28, 7, "D8 D4 D1v", init="delta"),
    "wrn16_8_stl_d8d4d1": _wrn(16, 8, "D8 D4 D1v", 97, init="delta", dropout=0.3, initial_stride=2),
    "wrn16_8_stl_d1d1d1": _wrn(16, 8, "D1v D1v D1v", 97, init="delta", dropout=0.3, initial_stride=2),
    "wrn16_8_stl_d8d4d1_star": _wrn(
        16, 8, "D8 D4 D1v", 97, init="delta", dropout=0.3, initial_stride=2, match="channels"
    ),
    "wrn16_8_stl_d1d1d1_star": _wrn(
        16, 8, "D1v D1v D1v", 97, init="delta", dropout=0.3, initial_stride=2, match="channels"
    ),
    "wrn16_8_stl_plain": _wrn(16, 8, side=97, plain=True, dropout=0.3, initial_stride=2),
    "wrn10_4_lens": _wrn(10, 4, "D8 D8 D8", 65, dropout=0.3, fit="resample"),
    "wrn10_4_lens_plain": _wrn(10, 4, side=65, plain=True, dropout=0.3),
    "p4cnn": Entry("gcnn", "DigitsGCNN", {"group": "C4"}, "p4 group CNN of rotated digits (Cohen and Welling)", 28),
    "p4mcnn": Entry("gcnn", "DigitsGCNN", {"group": "D4", "width": 7}, "p4m group CNN of rotated digits", 28),
    "p4cnn_plain": Entry("gcnn", "DigitsGCNN", {"group": None, "width": 20}, "plain twin of p4cnn: Z2CNN", 28),
    "p4mcnn_plain": Entry("gcnn", "DigitsGCNN", {"group": None, "width": 20}, "plain twin of p4mcnn: Z2CNN", 28),
    "z2cnn": Entry(
        "gcnn", "DigitsGCNN", {"group": None, "width": 20}, "plain CNN of rotated digits, twin of p4cnn", 28
    ),
    "allcnn_p4": Entry("gcnn", "AllCNNC", {"group": "C4", "widths": (48, 96)}, "All-CNN-C of p4, for CIFAR", 33),
    "allcnn_p4m": Entry("gcnn", "AllCNNC", {"group": "D4", "widths": (32, 64)}, "All-CNN-C of p4m, for CIFAR", 33),
    "allcnn_plain": Entry("gcnn", "AllCNNC", {"group": None, "widths": (96, 192)}, "plain All-CNN-C", 33),
    "resnet26_p4m": Entry(
        "gcnn_resnet", "GroupResNet", {"group": "D4", "blocks": 4, "fields": (25, 50, 100)}, "ResNet26 of p4m", 33
    ),
    "resnet44_p4m": Entry(
        "gcnn_resnet", "GroupResNet", {"group": "D4", "blocks": 7, "fields": (11, 23, 45)}, "ResNet44 of p4m", 33
    ),
    "resnet26_plain": Entry(
        "gcnn_resnet", "GroupResNet", {"group": None, "blocks": 4, "fields": (71, 142, 284)}, "plain ResNet26", 33
    ),
    "resnet44_plain": Entry(
        "gcnn_resnet", "GroupResNet", {"group": None, "blocks": 7, "fields": (32, 64, 128)}, "plain ResNet44", 33
    ),
    "hnet": Entry("harmonic_net", "HarmonicNet", {}, "harmonic network of rotated digits (Worrall et al.)", 28),
    "hnet_lens": Entry(
        "harmonic_net", "HarmonicNet", {"pool_input": 2, "head": "linear"}, "harmonic network for images of lenses", 64
    ),
    "hnet_plain": Entry("harmonic_net_plain", "HarmonicNetPlain", {}, "plain twin of hnet", 28),
    "hnet_lens_plain": Entry(
        "harmonic_net_plain", "HarmonicNetPlain", {"pool_input": 2, "head": "linear"}, "plain twin of hnet_lens", 64
    ),
    "dieleman": Entry("dieleman", "Dieleman", {}, "the published galaxy network: 16 parts, concatenated", 69),
    "dieleman_d4": Entry("dieleman", "DielemanInvariant", {}, "the galaxy network, exactly invariant under D4", 69),
    "dieleman_plain": Entry("plain_dieleman", "DielemanPlain", {"match": "dieleman"}, "plain twin of dieleman", 69),
    "dieleman_d4_plain": Entry(
        "plain_dieleman", "DielemanPlain", {"match": "dieleman_d4"}, "plain twin of dieleman_d4", 69
    ),
    "etn": Entry("transformer", "TransformerNet", {}, "equivariant transformer: upright, then log-polar", 64),
    "etn_direct": Entry(
        "transformer",
        "TransformerNet",
        {"predictor": "direct"},
        "etn with the pose regressed by an ordinary network",
        64,
    ),
    "etn_plain": Entry("warped_plain", "PlainTwin", {"of": "etn"}, "plain twin of etn", 64),
    "etn_projective": Entry(
        "transformer", "ProjectiveTransformerNet", {}, "equivariant transformer for projective maps, four in a row", 64
    ),
    "etn_projective_direct": Entry(
        "transformer", "ProjectiveTransformerNet", {"predictor": "direct"}, "etn_projective with a regressed pose", 64
    ),
    "etn_projective_plain": Entry(
        "warped_plain", "PlainTwin", {"of": "etn_projective"}, "plain twin of etn_projective", 64
    ),
    "warped_cnn": Entry("warped_cnn", "WarpedCNN", {}, "convolutions in log-polar coordinates; classes or a pose", 64),
    "warped_cnn_plain": Entry("warped_plain", "PlainTwin", {"of": "warped_cnn"}, "plain twin of warped_cnn", 64),
    "cheb_lie_net": Entry(
        "cheb_lie_net", "ChebLieNet", {}, "Laplacian polynomials on SE(2) with an anisotropic metric (ChebLieNet)", 32
    ),
    "cheb_lie_net_plain": Entry("cheb_lie_net", "ChebLieNetPlain", {}, "plain twin of cheb_lie_net", 32),
    "unet": Entry("planar_unet", "PlanarUNet", {}, "images: one class a pixel, or fields; any planar group", 33),
    "unet_plain": Entry("planar_unet", "PlainPlanarUNet", {}, "plain twin of unet", 33),
    "volume_cnn": Entry("volume", "VolumeCNN", {}, "volumes: convolutions of space, any group of it", 17, "volumes"),
    "volume_cnn_plain": Entry("plain_volume", "PlainVolumeCNN", {}, "plain twin of volume_cnn", 17, "volumes"),
    "volume_unet": Entry("volume", "VolumeUNet", {}, "volumes: one class a voxel, any group of space", 17, "volumes"),
    "volume_unet_plain": Entry("plain_volume", "PlainVolumeUNet", {}, "plain twin of volume_unet", 17, "volumes"),
    "ico_cnn": Entry("ico_cnn", "IcoCNN", {}, "icosahedral CNN with transport of frames, for the sphere", 0, "sphere"),
    "ico_cnn_plain": Entry("ico_cnn", "IcoCNNPlain", {}, "ico_cnn without transport, free kernels", 0, "sphere"),
    "image_to_icosahedral": Entry(
        "image_to_icosahedral", "ImageToIcosahedral", {}, "rotation of an object from an image: 60 poses, offsets", 64
    ),
    "image_to_icosahedral_plain": Entry(
        "image_to_icosahedral", "ImageToPosePlain", {}, "the same encoder, rotation by plain regression", 64
    ),
    "point_cnn": Entry("points", "PointCNN", {}, "point clouds, molecules: for any group of the space", 0, "points"),
    "point_cnn_plain": Entry("points", "PlainPointCNN", {}, "point_cnn without symmetry", 0, "points"),
    "sprin": Entry("sprin", "SPRIN", {}, "point clouds: invariants of pairs, exact for every rotation", 0, "points"),
    "sprin_plain": Entry("pointnet", "PointNet", {}, "plain twin of sprin: pointnet", 0, "points"),
    "prin": Entry("prin", "PRIN", {}, "point clouds: functions on shells, correlated over rotations", 0, "points"),
    "sgcn": Entry("sgcn", "SGCN", {}, "proteins, points: functions of directions in local frames", 0, "points"),
    "pointnet": Entry("pointnet", "PointNet", {}, "PointNet, without symmetry: plain twin of sprin", 0, "points"),
    "s2cnn": Entry("s2cnn", "S2CNN", {}, "the sphere: correlations on SO(3) by harmonics", 0, "sphere"),
    "s2cnn_dense": Entry("s2cnn", "S2CNNDense", {}, "the same, back to fields on the sphere", 0, "sphere"),
    "needlet_net": Entry(
        "needlet_net",
        "NeedletNet",
        {},
        "the sphere: fields to fields, shrinkage in a tight frame of needlets",
        0,
        "sphere",
    ),
    "needlet_net_plain": Entry("needlet_net", "NeedletNetPlain", {}, "plain twin of needlet_net, on maps", 0, "sphere"),
    "sphere_cnn": Entry("sphere", "SphereCNN", {}, "the sphere: local convolutions on any sampling", 0, "sphere"),
    "sphere_cnn_plain": Entry("plain_sphere", "PlainSphereCNN", {}, "plain twin of sphere_cnn, on maps", 0, "sphere"),
    "sphere_codec": Entry("coded_field", "CodedField", {}, "panoramas on HEALPix to few bytes and back", 0, "sphere"),
    "sphere_codec_plain": Entry(
        "coded_field", "PlainCodedField", {}, "the same on rows and columns of an image", 0, "sphere"
    ),
    "sphere_unet": Entry("sphere", "SphereUNet", {}, "the sphere: fields of any spin to fields", 0, "sphere"),
    "sphere_unet_plain": Entry(
        "plain_sphere", "PlainSphereUNet", {}, "plain twin of sphere_unet, on maps", 0, "sphere"
    ),
}


def list_models(pattern: str = "*") -> list[str]:
    """Names of all models that match a shell pattern, sorted."""
    return sorted(fnmatch.filter(_TABLE, pattern))


def describe_model(name: str) -> str:
    """One line on a model. Raises ``ValueError`` for an unknown name."""
    return _entry(name).about


def example_side(name: str) -> int:
    """Side in pixels of square images on which a model is exact. Raises ``ValueError`` for an unknown name."""
    return _entry(name).side


def example_domain(name: str) -> str:
    """What a model takes: images, volumes, points or sphere. Raises ``ValueError`` for an unknown name."""
    return _entry(name).domain


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build a model by name.

    Args:
        name: one of :func:`list_models`.
        arguments: passed to the builder; all take ``in_channels`` and ``num_classes``, equivariant ones ``group`` or
            ``groups``.

    Returns:
        A module from ``[B, in_channels, H, W]`` to ``[B, num_classes]``; of volumes from ``[B, in_channels, D, H, W]``;
        of the sphere from ``[B, in_channels, V]``; of points from features ``[N, in_channels]``, positions ``[N, n]``
        and the cloud of each point ``[N]``.

    Raises:
        ValueError: for an unknown name, naming the closest ones.
            Also for fewer than one channel or class.
        TypeError: for an argument that the builder does not take, naming those it does.
    """
    module, builder, fixed = _entry(name)[:3]
    build = getattr(importlib.import_module(f"steerable.models.{module}"), builder)
    known = model_arguments(name)
    unknown = [a for a in arguments if a not in known]
    if unknown:
        raise TypeError(f"model {name!r} takes no argument {unknown[0]!r}; it takes {', '.join(known)}")
    for count in ("in_channels", "num_classes"):
        if isinstance(arguments.get(count, 1), int) and arguments.get(count, 1) < 1:
            raise ValueError(f"model {name!r}: {count} is {arguments[count]}; expected 1 or more")
    return build(**fixed, **arguments)


def model_arguments(name: str) -> dict[str, Any]:
    """Arguments of a model and their defaults, without those that its name fixes.

    Raises:
        ValueError: for an unknown name.
    """
    module, builder, fixed = _entry(name)[:3]
    build = getattr(importlib.import_module(f"steerable.models.{module}"), builder)
    return {k: p.default for k, p in inspect.signature(build).parameters.items() if k not in fixed}


def _entry(name: str) -> Entry:
    if name not in _TABLE:
        close = difflib.get_close_matches(name, _TABLE, 3)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise ValueError(f"unknown model {name!r}; expected one of {', '.join(sorted(_TABLE))}.{hint}")
    return _TABLE[name]
