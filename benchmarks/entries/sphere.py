"""Convolutions on the sphere against torch-harmonics (where it is installed) and against conv2d."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.harness import Entry, Timed, Value
from benchmarks.peers.harmonics import has_torch_harmonics
from benchmarks.timing import Thunk


class State(NamedTuple):
    """A batch and two layers for it."""

    x: Tensor
    ours: nn.Module
    theirs: nn.Module


def disco(rings: int, channels: int, batch: int, directional: bool) -> Callable[[], State]:
    """A fixed cap of pi / 16 on Gauss rings: isotropic, or as many directional functions as theirs (3 x 3)."""

    def make() -> State:
        import torch_harmonics as th  # pyright: ignore[reportMissingImports]

        import steerable as st

        torch.manual_seed(0)
        group, shape = st.SO2(), (rings, 2 * rings)
        out = f"{channels // 2}x1" if directional else f"{channels}x0"
        ours = st.nn.SphereConv(
            group.type(f"{channels}x0"), group.type(out), st.Sphere.gauss(rings), math.pi / 16, bias=False
        )
        kernel = (3, 3) if directional else (3,)
        grid = "legendre-gauss"
        theirs = th.DiscreteContinuousConvS2(
            channels, channels, shape, shape, kernel, basis_type="piecewise linear", theta_cutoff=math.pi / 16,
            bias=False, grid_in=grid, grid_out=grid,
        )  # fmt: skip
        return State(torch.randn(batch, channels, *shape), ours, theirs)

    return make


def narrow(types: tuple[str, str], rings: int) -> Callable[[], State]:
    """Three samples to each side, beside conv2d 7 x 7 with as many channels."""

    def make() -> State:
        import steerable as st

        torch.manual_seed(0)
        first, last = (st.SO2().type(t) for t in types)
        sphere = st.Sphere.gauss(rings)
        ours = st.nn.SphereConv(first, last, sphere, 3 * math.pi / rings, bias=False)
        plain = nn.Conv2d(first.size, last.size, 7, padding=3, bias=False)
        return State(torch.randn(2, first.size, *sphere.shape), ours, plain)

    return make


def forward(which: str) -> Callable[[State], Thunk]:
    """One layer without gradient."""

    def prepare(state: State) -> Thunk:
        layer = getattr(state, which)

        def thunk() -> Tensor:
            with torch.no_grad():
                return layer(state.x)

        return thunk

    return prepare


def step(which: str) -> Callable[[State], Thunk]:
    """One layer, forward and backward."""

    def prepare(state: State) -> Thunk:
        layer, leaf = getattr(state, which), state.x.clone().requires_grad_()
        return lambda: layer(leaf).sum().backward()

    return prepare


def error(types: tuple[str, str], rings: int, radius: float, shells: bool = False) -> Callable[[], float]:
    """Equivariance error of a layer, float64, band of half the rings, under a generic rotation.

    With ``shells`` its functions are those of planar grids, which are not smooth at the centre.
    """

    def compute() -> float:
        import steerable as st
        from steerable.kernels import GaussianRings
        from steerable.laws.sphere import sphere_errors

        torch.manual_seed(0)
        first, last = (st.SO2().type(t) for t in types)
        filters = GaussianRings.for_points(5, dimension=2) if shells else None
        layer = st.nn.SphereConv(first, last, st.Sphere.gauss(rings), radius, filters=filters)
        return float(sphere_errors(layer.double()).max())

    return compute


def local_error(sampling: str, part: int, quadrature: int | None) -> Callable[[], float]:
    """The same of a layer with spins off rings, four distances of samples, for fields of a share of the usual band."""

    def compute() -> float:
        import steerable as st
        from steerable.domains.sphere import parse_sphere

        torch.manual_seed(0)
        t, sphere = st.SO2().type("1x0 + 1x1"), parse_sphere(sampling)
        layer = st.nn.SphereConv(t, t, sphere, 4 * sphere.spacing, quadrature=quadrature)
        return float(st.laws.sphere_errors(layer.double(), band=sphere.usual_band // part).max())

    return compute


def network_error(name: str, sampling: str, band: int, **options: object) -> Callable[[], float]:
    """The same of a network whose batch norms have seen fields: before, signals are small and activations linear."""

    def compute() -> float:
        import steerable as st

        torch.manual_seed(0)
        net = st.create_model(name, num_classes=5, sphere=sampling, **options).double()
        fields = st.nn.InverseSHT(sampling, "1x0", band).double()
        for _ in range(12):
            net(fields(torch.randn(4, band * band, dtype=torch.float64) / band))
        return float(st.laws.sphere_errors(net.eval(), band=band, in_type=st.SO2().type("1x0")).max())

    return compute


def construction(rings: int) -> Callable[[], float]:
    """Milliseconds to build a layer of narrow support, the median of nine."""

    def compute() -> float:
        import time

        import steerable as st

        t, sphere, found = st.SO2().type("4x0"), st.Sphere.gauss(rings), []
        for _ in range(9):
            start = time.process_time()
            st.nn.SphereConv(t, t, sphere, 3 * math.pi / rings)
            found.append(1e3 * (time.process_time() - start))
        return sorted(found)[4]

    return compute


def exponent(sizes: tuple[int, ...]) -> Callable[[], float]:
    """Growth of the time of a layer with the number of pixels, its support shrinking with the grid."""

    def compute() -> float:
        import time

        import numpy as np

        import steerable as st

        t, logs = st.SO2().type("4x0"), []
        for rings in sizes:
            layer = st.nn.SphereConv(t, t, st.Sphere.gauss(rings), 3 * math.pi / rings)
            x, found = torch.randn(1, 4, rings, 2 * rings), []
            with torch.no_grad():
                for _ in range(7):
                    start = time.process_time()
                    layer(x)
                    found.append(time.process_time() - start)
            logs.append((math.log(2 * rings**2), math.log(sorted(found)[3])))
        return float(np.polyfit(*zip(*logs, strict=True), 1)[0])

    return compute


_MIXED = ("8x0 + 4x1", "8x0 + 4x1")
_CAP = "SphereConv, cap of pi/16, {0} Gauss rings, {1} -> {1} channels, batch {2}, {3}: ours / torch-harmonics (C++)"

ENTRIES: tuple[Entry, ...] = (
    *(
        Timed(
            f"sphere/disco_{rings}_{channels}_{'directional' if d else 'isotropic'}_{kind}",
            _CAP.format(rings, channels, batch, "directional" if d else "isotropic")
            + (", fwd+bwd" if kind == "step" else ""),
            goal=1 / 1.5 if rings == 128 and kind == "forward" else None,
            setup=disco(rings, channels, batch, d),
            run=(forward if kind == "forward" else step)("ours"),
            reference=(forward if kind == "forward" else step)("theirs"),
        )
        for rings, channels, batch in ((64, 4, 1), (128, 4, 1), (128, 16, 2))
        for d in (False, True)
        for kind in (("forward", "step") if channels == 16 else ("forward",))
        if has_torch_harmonics()
    ),
    *(
        Timed(
            f"sphere/narrow_{name}_{kind}",
            f"SphereConv 64 x 128, 3 samples, {types[0]} -> {types[1]}: ours / conv2d 7 x 7, same channels"
            + (", fwd+bwd" if kind == "step" else ""),
            goal=2.0 if kind == "forward" else None,
            setup=narrow(types, 64),
            run=(forward if kind == "forward" else step)("ours"),
            reference=(forward if kind == "forward" else step)("theirs"),
        )
        for name, types in (("scalars", ("16x0", "16x0")), ("spins", _MIXED))
        for kind in ("forward", "step")
    ),
    *(
        Value(
            f"sphere/error_{name}_{rings}",
            f"equivariance error, {types[0]} -> {types[1]}, {rings} Gauss rings, cap of pi / 8, float64",
            goal=goal if rings == 64 else None,
            compute=error(types, rings, math.pi / 8),
        )
        for name, types, goal in (
            ("isotropic", ("1x0", "1x0"), 5e-4),
            ("directional", ("1x0 + 1x1", "1x0 + 1x2"), 2e-3),
        )
        for rings in (32, 64, 128)
    ),
    *(
        Value(
            f"sphere/error_{'shells' if shells else 'zernike'}",
            f"the same, 1x0 -> 1x1, 32 rings, six samples, {'shells of planar grids' if shells else 'Zernike'}",
            goal=None,
            compute=error(("1x0", "1x1"), 32, 6 * math.pi / 32, shells),
        )
        for shells in (False, True)
    ),
    *(
        Value(
            f"sphere/local_{part}_{'own' if quadrature == 0 else 'mended'}",
            f"the same, 1x0 + 1x1, healpix(16), 4 samples, 1 / {part} of the usual band, "
            + ("weights of the sampling" if quadrature == 0 else "local integrals exact"),
            goal=None,
            compute=local_error("healpix(16)", part, quadrature),
        )
        for part in (4, 2)
        for quadrature in (0, None)
    ),
    *(
        Value(
            f"sphere/network_{label}",
            f"the same of {name} on {sampling}, batch norms that have seen fields{said}",
            goal=None,
            compute=network_error(name, sampling, band, **options),
        )
        for label, name, sampling, band, said, options in (
            ("unet_reach3", "sphere_unet", "gauss(24)", 12, ", reach 3", {"reach": 3.0}),
            ("unet", "sphere_unet", "gauss(24)", 12, "", {}),
            ("unet_reach5", "sphere_unet", "gauss(24)", 12, ", reach 5", {"reach": 5.0, "kernel_size": 7}),
            ("unet_healpix8", "sphere_unet", "healpix(8)", 12, "", {}),
            ("unet_healpix16", "sphere_unet", "healpix(16)", 12, "", {}),
            ("s2cnn", "s2cnn", "gauss(16)", 8, "", {}),
            ("s2cnn_dense", "s2cnn_dense", "gauss(16)", 8, "", {}),
        )
    ),
    Value("sphere/construction", "milliseconds to build a layer, 128 x 256, 3 samples", goal=20.0,
          compute=construction(128)),
    Value("sphere/exponent", "growth of the time with the number of pixels, 3 samples, 64 to 1024 rings", goal=1.1,
          compute=exponent((64, 128, 256, 512, 1024))),
)  # fmt: skip
