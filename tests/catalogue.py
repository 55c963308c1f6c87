"""The one list of groups, representations and layers that drives every law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from tests.legal import framed, functions, is_complex, is_function, square
from torch import Tensor, nn

import steerable.nn as snn
from steerable import laws
from steerable.domains import Homogeneous, HomType, Sphere
from steerable.fields import FieldType, complex_stream
from steerable.groups import O2, O3, SO2, SO3, C, D, FiniteGroup, Group, Representation, parse_group, product
from steerable.kernels import ComplexLinear, GaussianRings

#: irreps of continuous groups are tested up to this frequency
FREQUENCY = 3

#: groups given on space, beside SO3 and O3
SPACE = (
    "T",
    "O",
    "I",
    "Td",
    "Th",
    "Oh",
    "Ih",
    "Ci",
    "Cs",
    "C3h",
    "D3h",
    "D4h",
    "D3d",
    "D4r",
    "S4r",
    "SO2h",
    "O2h",
    "O2r",
)

QUATERNIONS = [
    [0, 1, 2, 3, 4, 5, 6, 7],
    [1, 4, 3, 6, 5, 0, 7, 2],
    [2, 7, 4, 1, 6, 3, 0, 5],
    [3, 2, 5, 4, 7, 6, 1, 0],
    [4, 5, 6, 7, 0, 1, 2, 3],
    [5, 0, 7, 2, 1, 4, 3, 6],
    [6, 3, 0, 5, 2, 7, 4, 1],
    [7, 6, 1, 0, 3, 2, 5, 4],
]


def symmetric(n: int) -> FiniteGroup:
    """S(n) from a transposition and a cycle."""
    return FiniteGroup.from_permutations([[1, 0, *range(2, n)], [*range(1, n), 0]], name=f"S{n}")


def alternating5() -> FiniteGroup:
    """A(5) from two even permutations."""
    return FiniteGroup.from_permutations([[1, 2, 0, 3, 4], [1, 2, 3, 4, 0]], name="A5")


def _groups() -> dict[str, Group]:
    found: list[Group] = [C(n) for n in (*range(1, 10), 12, 16, 20)]
    found += [D(n) for n in (*range(1, 9), 16)]
    found += [SO2(), O2(), product(C(3), C(3)), product(C(4), D(3)), product(SO2(), C(3))]
    quaternion = FiniteGroup.from_table(QUATERNIONS, name="Q8")
    found += [quaternion, symmetric(4), alternating5(), symmetric(5)]
    found += [SO3(), O3(), *map(parse_group, SPACE)]
    return {g.name: g for g in found}


GROUPS = _groups()
FINITE = {k: g for k, g in GROUPS.items() if g.is_finite}
PLANAR = {k: g for k, g in GROUPS.items() if g.is_planar}
#: groups that move the points of space
SPATIAL = {k: g for k, g in GROUPS.items() if g.acts_on(3)}
#: groups of at most 24 elements and the continuous ones: for laws over pairs and triples of irreps
SMALL = {k: g for k, g in GROUPS.items() if g.order is None or g.order <= 24}


def frequency(group: Group) -> int | None:
    """Band of the irreps that are tested: all of a finite group."""
    return None if group.is_finite else FREQUENCY


def irreps(group: Group) -> tuple[Representation, ...]:
    """The irreps that are tested."""
    return group.irreps(frequency(group))


def top(group: Group, *reps: Representation) -> int:
    """A quadrature frequency that is exact for products of matrix coefficients of some representations."""
    return 2 * max([FREQUENCY, *(r.frequency for r in reps)])


def elements(group: Group, count: int = 12, seed: int = 0) -> Tensor:
    """Random elements, the identity first."""
    drawn = group.sample(count, torch.Generator().manual_seed(seed))
    return torch.cat([group.identity[None].to(drawn), drawn])


@cache
def representations(name: str) -> tuple[Representation, ...]:
    """Representations of every kind of one group, irreps included."""
    group = GROUPS[name]
    found = [*irreps(group)]
    if not group.is_finite:
        found += [group.spectral_regular(2)]
        if group == O2():
            so2 = SO2()
            found += [group.induced(so2, so2.irrep(2)), group.spectral_quotient(D(1), 3), group.irrep("0o")]
        found += [irreps(group)[-1].tensor(irreps(group)[1])]
    else:
        found += [group.regular, group.quotient(C(1)), found[-1].tensor(found[-1])]
        if isinstance(group, D) and group.is_planar:
            found += [
                group.quotient(D(1)),
                group.induced(D(1), D(1).irrep("0o")),
                group.induced(C(group.n), C(group.n).irreps()[-1]),
            ]
        if isinstance(group, C) and group.is_planar and group.order % 2 == 0:
            found += [group.quotient(C(2)), group.induced(C(2), C(2).irrep("1"))]
        if isinstance(group, FiniteGroup):
            pair = group.subgroup_from([int(group.generators[0])])
            found += [group.quotient(pair), group.induced(pair, pair.small.irreps()[-1])]
    found += [found[0].direct_sum(found[-1], found[min(2, len(found) - 1)])]
    return tuple(found)


# ---- field types ---------------------------------------------------------------------------------------------------


def _type(group: str, text: str) -> FieldType:
    return GROUPS[group].type(text)


#: two blocks of different representations where possible; complex types in C5, C8, C3xC3, SO2; an odd group with flips
TYPES: dict[str, FieldType] = {
    "C1": _type("C1", "3 trivial"),
    "C4 regular": _type("C4", "2 regular + 1 trivial"),
    "C4 quotient": _type("C4", "1 quotient(C2) + 2 regular"),
    "C4 irreps": _type("C4", "1x2 + 2x1 + 1x0"),
    "C5 irreps": _type("C5", "2x1 + 1x2"),
    "C5 mixed": _type("C5", "1x1 + 1 regular + 2x0"),
    "C8 regular": _type("C8", "2 regular"),
    "C8 irreps": _type("C8", "1x1 + 1x3 + 2x0"),
    "D3 regular": _type("D3", "1 regular + 1 quotient(D1) + 1 trivial"),
    "D3 mixed": _type("D3", "1 regular + 2x1 + 1x0o"),
    "D4 regular": _type("D4", "2 regular + 1 trivial"),
    "D4 irreps": _type("D4", "1x1 + 2x2o + 1x0o"),
    "D4 induced": _type("D4", "1 induced(C4, 1) + 1 quotient(D1)"),
    "SO2 irreps": _type("SO2", "2x0 + 2x1 + 1x2"),
    "SO2 streams": 2 * complex_stream(SO2(), 0).direct_sum(complex_stream(SO2(), 1)) + complex_stream(SO2(), -2),
    "SO2 spectral": _type("SO2", "2 regular(1) + 1x1"),
    "O2 irreps": _type("O2", "1x0e + 1x0o + 2x1 + 1x2"),
    "O2 induced": _type("O2", "1 induced(SO2, 1) + 1x1"),
    "C2 signs": _type("C2", "2x1 + 1x0"),
    "D4 signs": _type("D4", "1x0o + 2 trivial + 1x2e"),
    "T regular": _type("T", "1 regular + 1x1 + 1x2"),
    "C3xC3": _type("C3xC3", "1x(1,1)+ + 1x(1,1)- + 1x(0,0)"),
    "O regular": _type("O", "1 regular + 1x3"),
    "SO3 irreps": _type("SO3", "2x0 + 2x1 + 1x2"),
    "O3 irreps": _type("O3", "1x0e + 1x0o + 2x1o + 1x2e"),
    "Q8": FieldType(
        GROUPS["Q8"], [(1, GROUPS["Q8"].irreps()[-1]), (1, GROUPS["Q8"].regular), (1, GROUPS["Q8"].trivial)]
    ),
}

#: types on which the layers of volumes and points are tested: groups of space, and of the plane about the third axis
SPATIAL_TYPES = [
    TYPES[t] for t in ("C4 regular", "C5 mixed", "D3 mixed", "SO2 irreps", "O regular", "SO3 irreps", "O3 irreps")
]

#: types of the frames of the sphere
SPHERE_TYPES = [TYPES[t] for t in ("SO2 irreps", "O2 irreps")]
RINGS, VERTICES = Sphere.gauss(4), Sphere.icosahedral(1)

#: one type of each group, on whose quotients the layers of homogeneous spaces are tested
QUOTIENT_TYPES = list({t.group: t for t in TYPES.values()}.values())

# ---- layers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """One entry of the list of layers.

    Attributes:
        build: the layer on a type.
        needs: which types are legal: ``any permutation regular functions framed rule signed complex space finite``, and
            ``finite functions``; ``space`` and ``finite`` build on a quotient of the group.
        side: side of the images at which it is exact; 0 for layers that may take vectors ``[B, C]`` only.
        spatial: axes of the input: 2 for images, 3 for volumes, 0 for features of points ``[N, C]``.
        planar: whether it needs images, and so a planar group if it also mixes positions and channels.
        local: whether it acts at each point alone, so that it commutes with gauges.
        mixes: whether it moves positions and channels together (a convolution).
        sampled: whether it is exact only for the elements that it samples.
        sphere: samples on which it acts in place of a grid, or None; see :func:`assert_lawful`.
    """

    build: Callable[[FieldType], nn.Module]
    needs: str = "any"
    side: int = 5
    planar: bool = False
    local: bool = False
    mixes: bool = False
    sampled: bool = False
    spatial: int = 2
    sphere: Sphere | None = None

    def accepts(self, t: FieldType) -> bool:
        """Whether the layer may be built on a type."""
        if self.sphere is not None:
            return t in SPHERE_TYPES
        if self.mixes and not t.group.acts_on(self.spatial or 3):
            return False
        if self.spatial != 2 and t not in SPATIAL_TYPES:
            return False
        if self.needs in ("space", "finite"):
            return t in QUOTIENT_TYPES and (self.needs == "space" or t.group.is_finite)
        if self.needs == "permutation":
            return t.is_permutation
        if self.needs == "regular":
            return (
                t.group.is_finite
                and "1" in t.group.irrep_ids()
                and t.group.is_planar
                and all(b.rep in (t.group.regular, t.group.trivial) for b in t.blocks)
            )
        if self.needs == "signed":
            return all(b.rep.is_permutation or b.rep.size == 1 for b in t.blocks)
        if self.needs == "complex":
            return isinstance(t.group, C | SO2) and all(is_complex(b.rep) for b in t.blocks)
        if self.needs == "framed":
            return functions(t) and framed(t)
        if self.needs == "rule":
            return functions(t)
        if self.needs == "finite functions":
            return t.group.is_finite and all(is_function(b.rep) for b in t.blocks)
        if self.needs == "functions":  # sampled on a fixed grid: no element of SO3 but the identity keeps it
            return not isinstance(t.group, SO3 | O3) and all(
                b.rep.is_permutation or is_function(b.rep) for b in t.blocks
            )
        return True

    def input(self, t: FieldType, batch: int = 2, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
        """A random input for a layer that was built on a type."""
        generator = torch.Generator().manual_seed(seed)
        shape = (batch * 4,) if self.spatial == 0 else (batch,)
        shape = (*shape, t.size, *(self.sphere.shape if self.sphere else (self.side,) * self.spatial))
        return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)


def _bottleneck(t: FieldType) -> FieldType:
    """A type of two blocks that differs from ``t``."""
    last = max(reversed(irreps(t.group)), key=lambda r: r.size)
    return t.group.trivial + 2 * last


def _subgroup(group: Group) -> Group:
    """A proper subgroup, as large as it goes."""
    if isinstance(group, D):
        return C(group.n)
    if isinstance(group, C):
        return C(group.order // 2 if group.order % 2 == 0 else 1)
    if isinstance(group, SO3 | O3):
        return GROUPS["O"] if isinstance(group, SO3) else SO3()
    return SO2() if group == O2() else C(4) if group == SO2() else C(1)


def _quotient(t: FieldType) -> HomType:
    """Scalars and another field on a quotient of the group of a type."""
    subgroup = O2() if t.group == O3() else SO2() if t.group == SO3() else _subgroup(t.group)
    space = Homogeneous(t.group, subgroup, None if t.group.is_finite else 2)
    return space.fields(2 * subgroup.trivial + subgroup.irreps(None if subgroup.is_finite else 1)[-1])


def _functions(t: FieldType) -> HomType:
    """Functions on the group of a type."""
    return Homogeneous(t.group, C(1), None if t.group.is_finite else 1).fields("1 trivial")


def _scalars(t: FieldType) -> FieldType:
    """As many scalars as a type has fields, an even number."""
    return 2 * t.num_fields * t.group.trivial


def _pairs(group: Group) -> FieldType:
    """Two scalars and two vectors: a multiple of two heads."""
    return 2 * group.trivial + 2 * group.irrep("1")


def _on(sphere: Sphere, build: Callable[[FieldType, Sphere], nn.Module], **options: bool) -> Layer:
    """A row on the sphere."""
    return Layer(lambda t: build(t, sphere), sphere=sphere, planar=True, **options)


def assert_lawful(module: nn.Module, x: Tensor, **options: object) -> None:
    """The law of a layer: under all that permutes the samples, of the sphere where it lies there."""
    on_sphere = any(isinstance(getattr(m, "sphere", None), Sphere) for m in module.modules())
    (laws.assert_exact_on_sphere if on_sphere else laws.assert_equivariant)(module, x, **options)


def _conv(**options: object) -> Callable[[FieldType], nn.Module]:
    return lambda t: snn.Conv2d(t, _bottleneck(t), 3, **options)


def _conv3d(**options: object) -> Callable[[FieldType], nn.Module]:
    return lambda t: snn.Conv3d(t, _bottleneck(t), 3, **options)


LAYERS: dict[str, Layer] = {
    "Conv2d": Layer(_conv(), planar=True, mixes=True),
    "Conv2d padded": Layer(_conv(padding=1, bias=False), side=4, planar=True, mixes=True),
    "Conv2d strided": Layer(_conv(stride=2, padding=1), planar=True, mixes=True),
    "Conv2d reflect": Layer(_conv(padding=1, padding_mode="reflect", dilation=1), planar=True, mixes=True),
    "Conv2d circular dilated": Layer(
        _conv(padding=2, padding_mode="circular", dilation=2), side=6, planar=True, mixes=True
    ),
    "Conv2d 1x1": Layer(lambda t: snn.Conv2d(t, _bottleneck(t), 1), planar=True, local=True, mixes=True),
    "Conv2d depthwise": Layer(lambda t: snn.Conv2d(3 * t, 3 * t, 3, padding=1, groups=3), planar=True, mixes=True),
    "Conv2d complex": Layer(
        _conv(padding=1, filters=ComplexLinear(GaussianRings.for_size(3))), "complex", planar=True, mixes=True
    ),
    "Conv2d complex shared": Layer(
        lambda t: snn.Conv2d(t, t, 3, padding=1, filters=ComplexLinear(GaussianRings.for_size(3), share=True)),
        "complex",
        planar=True,
        mixes=True,
    ),
    "DepthwiseConv2d": Layer(
        lambda t: snn.DepthwiseConv2d(t, 3, padding=1), "permutation", side=4, planar=True, mixes=True
    ),
    "DepthwiseConv2d strided": Layer(
        lambda t: snn.DepthwiseConv2d(t, 5, stride=2, padding=2, bias=False), "permutation", planar=True, mixes=True
    ),
    "Conv2d wide": Layer(
        lambda t: snn.Conv2d(t, t, 5, padding=2, bandlimit=2.0, init="delta"), planar=True, mixes=True
    ),
    "ConvTranspose2d": Layer(
        lambda t: snn.ConvTranspose2d(t, _bottleneck(t), 3, stride=2, padding=1), side=4, planar=True, mixes=True
    ),
    "Conv3d": Layer(_conv3d(), planar=True, mixes=True, side=4, spatial=3),
    "Conv3d strided": Layer(_conv3d(stride=2, padding=1, padding_mode="circular"), planar=True, mixes=True, spatial=3),
    "Conv3d 1x1": Layer(
        lambda t: snn.Conv3d(t, _bottleneck(t), 1), planar=True, local=True, mixes=True, side=3, spatial=3
    ),
    "ConvTranspose3d": Layer(
        lambda t: snn.ConvTranspose3d(t, _bottleneck(t), 3, stride=2, padding=1),
        planar=True,
        mixes=True,
        side=2,
        spatial=3,
    ),
    "MaxPool3d": Layer(lambda t: snn.MaxPool3d(t, 2), "permutation", side=4, planar=True, spatial=3),
    "AvgPool3d": Layer(lambda t: snn.AvgPool3d(t, 3, 2, 1), side=3, planar=True, spatial=3),
    "BlurPool3d": Layer(lambda t: snn.BlurPool3d(t), side=4, planar=True, spatial=3),
    "GlobalAvgPool3d": Layer(lambda t: snn.GlobalAvgPool3d(t), side=3, planar=True, spatial=3),
    "GlobalMaxPool3d": Layer(lambda t: snn.GlobalMaxPool3d(t), "permutation", side=3, planar=True, spatial=3),
    "Upsample3d": Layer(lambda t: snn.Upsample3d(t, 2), side=3, planar=True, spatial=3),
    "Linear": Layer(lambda t: snn.Linear(t, _bottleneck(t)), local=True),
    "Linear same": Layer(lambda t: snn.Linear(t, t, bias=False, init="delta"), local=True),
    "HomLinear": Layer(lambda t: snn.HomLinear(_quotient(t), _functions(t)), "space", local=True),
    "LiftActProject": Layer(lambda t: snn.LiftActProject(_quotient(t), "silu"), "finite", local=True),
    "BatchNorm": Layer(lambda t: snn.BatchNorm(t)),
    "BatchNorm plain": Layer(lambda t: snn.BatchNorm(t, affine=False, momentum=None)),
    "MagnitudeNorm": Layer(lambda t: snn.MagnitudeNorm(t)),
    "MagnitudeNorm pairs": Layer(lambda t: snn.MagnitudeNorm(t, relu=False, pairs=True), "complex"),
    "LayerNorm": Layer(lambda t: snn.LayerNorm(t), local=True),
    "GroupNorm": Layer(lambda t: snn.GroupNorm(2 * t, 2)),
    "InstanceNorm": Layer(lambda t: snn.InstanceNorm(t)),
    "ReLU": Layer(lambda t: snn.ReLU(t), "permutation", local=True),
    "ReLU6": Layer(lambda t: snn.ReLU6(t), "permutation", local=True),
    "ELU": Layer(lambda t: snn.ELU(t), "permutation", local=True),
    "LeakyReLU": Layer(lambda t: snn.LeakyReLU(t), "permutation", local=True),
    "SiLU": Layer(lambda t: snn.SiLU(t), "permutation", local=True),
    "GELU": Layer(lambda t: snn.GELU(t), "permutation", local=True),
    "Softplus": Layer(lambda t: snn.Softplus(t), "permutation", local=True),
    "Sigmoid": Layer(lambda t: snn.Sigmoid(t), "permutation", local=True),
    "Tanh": Layer(lambda t: snn.Tanh(t), "signed", local=True),
    "Hardtanh": Layer(lambda t: snn.Hardtanh(t), "signed", local=True),
    "CReLU": Layer(lambda t: snn.CReLU(t), "signed", local=True),
    "NormAct relu": Layer(lambda t: snn.NormAct(t), local=True),
    "NormAct sigmoid": Layer(lambda t: snn.NormAct(t, "sigmoid"), local=True),
    "NormAct pairs": Layer(lambda t: snn.NormAct(t, pairs=True), "complex", local=True),
    "NormAct squash": Layer(lambda t: snn.NormAct(t, "squash", bias=False), local=True),
    "Gate": Layer(lambda t: snn.Gate(t), local=True),
    "FourierAct": Layer(lambda t: snn.FourierAct(t, "elu"), "functions", local=True, sampled=True),
    "FourierAct adaptive": Layer(lambda t: snn.FourierAct(t, "elu", grid="adaptive"), "framed", local=True),
    "FourierAct sample frame": Layer(
        lambda t: snn.FourierAct(t, "silu", frame=snn.Frame(t, share="sample", detach=True)), "framed"
    ),
    "FourierAct adaptive volumes": Layer(
        lambda t: snn.FourierAct(t, "elu", grid="adaptive"), "framed", planar=True, side=3, spatial=3
    ),
    "FourierAct adaptive points": Layer(
        lambda t: snn.FourierAct(t, "elu", grid="adaptive"), "framed", local=True, spatial=0
    ),
    "FourierAct square": Layer(lambda t: snn.FourierAct(t, square, grid="quadrature"), "rule", local=True),
    "SampledMLP": Layer(lambda t: snn.SampledMLP(t, 2 * t, [3], square, grid="quadrature"), "rule", local=True),
    "SampledMLP finite": Layer(lambda t: snn.SampledMLP(t, function="elu"), "finite functions", local=True),
    "mlp": Layer(lambda t: snn.mlp(t, [snn.hidden_type(t.group, 12), t], _bottleneck(t)), local=True),
    "mlp volumes": Layer(
        lambda t: snn.mlp(t, snn.hidden_type(t.group, 12), t), local=True, planar=True, side=3, spatial=3
    ),
    "NormAct volumes": Layer(lambda t: snn.NormAct(t), local=True, planar=True, side=3, spatial=3),
    "Gate volumes": Layer(lambda t: snn.Gate(t), local=True, planar=True, side=3, spatial=3),
    "TensorProduct volumes": Layer(lambda t: snn.TensorProduct(t), local=True, planar=True, side=3, spatial=3),
    "NormPool volumes": Layer(lambda t: snn.NormPool(t), local=True, planar=True, side=3, spatial=3),
    "NormAct points": Layer(lambda t: snn.NormAct(t), local=True, spatial=0),
    "Gate points": Layer(lambda t: snn.Gate(t), local=True, spatial=0),
    "TensorProduct points": Layer(lambda t: snn.TensorProduct(t), local=True, spatial=0),
    "NormPool points": Layer(lambda t: snn.NormPool(t), local=True, spatial=0),
    "VectorField": Layer(lambda t: snn.VectorField(t), "regular", local=True),
    "TensorProduct": Layer(lambda t: snn.TensorProduct(t), local=True),
    "MaxPool2d": Layer(lambda t: snn.MaxPool2d(t, 2), "permutation", side=6, planar=True),
    "MaxPool2d 3": Layer(lambda t: snn.MaxPool2d(t, 3, 2, 1), "permutation", planar=True),
    "AvgPool2d": Layer(lambda t: snn.AvgPool2d(t, 2), side=6, planar=True),
    "AvgPool2d 3": Layer(lambda t: snn.AvgPool2d(t, 3, 2, 1, count_include_pad=False), planar=True),
    "NormMaxPool2d": Layer(lambda t: snn.NormMaxPool2d(t, 2), side=6, planar=True),
    "BlurPool2d": Layer(lambda t: snn.BlurPool2d(t), side=7, planar=True),
    "BlurPool2d even": Layer(lambda t: snn.BlurPool2d(t), side=8, planar=True),
    "AdaptiveAvgPool2d": Layer(lambda t: snn.AdaptiveAvgPool2d(t, 3), side=7, planar=True),
    "AdaptiveMaxPool2d": Layer(lambda t: snn.AdaptiveMaxPool2d(t, 2), "permutation", side=7, planar=True),
    "GlobalAvgPool2d": Layer(lambda t: snn.GlobalAvgPool2d(t), planar=True),
    "GlobalMaxPool2d": Layer(lambda t: snn.GlobalMaxPool2d(t), "permutation", planar=True),
    "GroupPool": Layer(lambda t: snn.GroupPool(t), "permutation", local=True),
    "GroupPool mean": Layer(lambda t: snn.GroupPool(t, "mean"), "permutation", local=True),
    "Maxout": Layer(lambda t: snn.Maxout(t), "permutation", local=True),
    "Maxout 3": Layer(lambda t: snn.Maxout(t, 3), "permutation", local=True),
    "NormPool": Layer(lambda t: snn.NormPool(t), local=True),
    "NormPool pairs": Layer(lambda t: snn.NormPool(t, pairs=True), "complex", local=True),
    "ToFourier": Layer(lambda t: snn.ToFourier(t), local=True),
    "FromFourier": Layer(lambda t: snn.FromFourier(t), local=True),
    "Restrict": Layer(lambda t: snn.Restrict(t, _subgroup(t.group)), local=True),
    "Disentangle": Layer(lambda t: snn.Disentangle(t), local=True),
    "FieldDropout": Layer(lambda t: snn.FieldDropout(t, 0.4)),
    "DiscMask": Layer(lambda t: snn.DiscMask(t), planar=True),
    "Pad2d": Layer(lambda t: snn.Pad2d(t, 2, "reflect"), planar=True),
    "FitSide2d": Layer(lambda t: snn.FitSide2d(t, 4), side=4, planar=True),
    "FitSide2d pad": Layer(lambda t: snn.FitSide2d(t, 4, mode="pad"), side=3, planar=True),
    "Upsample2d": Layer(lambda t: snn.Upsample2d(t, 2), side=4, planar=True),
    "Upsample2d nearest": Layer(lambda t: snn.Upsample2d(t, 3, mode="nearest"), side=4, planar=True),
    "Residual": Layer(lambda t: snn.Residual(snn.Linear(t, t)), local=True),
    "Branches": Layer(lambda t: snn.Branches(snn.Linear(t, _bottleneck(t)), snn.Linear(t, t)), local=True),
    "Sequential": Layer(lambda t: snn.Sequential(snn.Linear(t, t), snn.BatchNorm(t), snn.Linear(t, t))),
    "Plain": Layer(lambda t: snn.Plain(nn.Dropout(0.0), t, t), local=True),
    "SphereConv rings": _on(RINGS, lambda t, s: snn.SphereConv(t, _bottleneck(t), s, 1.4), mixes=True),
    "SphereConv pairs": _on(VERTICES, lambda t, s: snn.SphereConv(t, _bottleneck(t), s, 1.2), mixes=True),
    "SphereConv strided": _on(RINGS, lambda t, s: snn.SphereConv(t, t, s, 1.8, s.coarser(), bias=False), mixes=True),
    "SphereAttention": _on(RINGS, lambda t, s: snn.SphereAttention(_scalars(t), s, heads=2), mixes=True),
    "SphereNeighbourAttention": _on(
        VERTICES, lambda t, s: snn.SphereNeighbourAttention(t, s, 1.2, inner=_pairs(t.group), heads=2), mixes=True
    ),
    "SphereBatchNorm": _on(RINGS, lambda t, s: snn.SphereBatchNorm(t, s)),
    "SphereAvgPool": _on(VERTICES, lambda t, s: snn.SphereAvgPool(_scalars(t), s)),
    "HealpixConv": _on(Sphere.healpix(2), lambda t, s: snn.HealpixConv(t.num_fields, 3, s), mixes=True),
    "HealpixConv strided": _on(
        Sphere.healpix(2, nested=True), lambda t, s: snn.HealpixConv(t.num_fields, 3, s, 2, 2), mixes=True
    ),
    "HealpixPool": _on(Sphere.healpix(2), lambda t, s: snn.HealpixPool(t.num_fields, s, "max")),
    "HealpixPixelShuffle": _on(
        Sphere.healpix(2, nested=True), lambda t, s: snn.HealpixPixelShuffle(t.num_fields, s), mixes=True
    ),
}

#: every legal pair of a layer and a type
CASES = [(layer, t) for layer, entry in LAYERS.items() for t in TYPES if entry.accepts(TYPES[t])]


def make(layer: str, t: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    """A layer with parameters and statistics that are not at their start, and an input."""
    torch.manual_seed(0)
    module = LAYERS[layer].build(TYPES[t]).to(dtype)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.2 * torch.randn(p.shape, dtype=torch.float64).to(dtype))
        for name, b in module.named_buffers():
            if name.endswith("running_mean"):
                b.add_(0.3 * torch.randn(b.shape, dtype=torch.float64).to(dtype))
            elif name.endswith("running_var"):
                b.mul_(1 + 0.5 * torch.rand(b.shape, dtype=torch.float64).to(dtype))
    return module, LAYERS[layer].input(module.in_type, dtype=dtype)
