"""What the layer tests share: types with two blocks of different representations, and one measure of every law."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import torch
from torch import Tensor, nn

import steerable as st
from steerable.domains.grid import PixelGrid
from steerable.fields.type import FieldType

C4, C5, D3, D4 = st.C(4), st.C(5), st.D(3), st.D(4)

#: a regular and a complex-type block; D(3) with its plane irrep and a sign; a non-permutation with an invariant
TYPES = {
    "C5": 2 * C5.regular + 3 * C5.irrep("1") + C5.trivial,
    "D3": D3.regular + 2 * D3.irrep("1") + D3.irrep("0o"),
    "D3 tensor": 2 * D3.irrep("1").tensor(D3.irrep("1")) + D3.trivial,
    "SO2": 2 * st.SO2().spectral_regular(2) + 2 * st.SO2().irrep("1"),
}
PERMUTATIONS = {
    "C5": 2 * C5.regular + 3 * C5.trivial,
    "D3": 2 * D3.regular + D3.quotient(st.D(1)),
    "D4": 2 * D4.quotient(st.C(2)) + D4.regular,
}
#: types for the lattice: their groups hold quarter turns or reflections
PLANAR = {
    "C4": 2 * C4.regular + 2 * C4.irrep("1"),
    "D4": D4.regular + 2 * D4.irrep("1") + D4.trivial,
    "D3": D3.regular + 2 * D3.irrep("1"),
}
PLANAR_PERMUTATIONS = {
    "C4": 2 * C4.regular + 3 * C4.trivial,
    "D4": D4.regular + 2 * D4.quotient(st.C(2)),
    "D3": D3.regular + 2 * D3.trivial,
}


def elements(type: FieldType) -> Tensor:
    """All elements, or some of a continuous group."""
    return type.group.elements if type.group.is_finite else type.group.grid(6)


@torch.no_grad()
def channel_error(f: Callable[[Tensor], Tensor], in_type: FieldType, out_type: FieldType, x: Tensor) -> float:
    """Largest ``|f(g x) - g f(x)|`` over elements that act on channels only."""
    y = f(x)
    return max(float((f(in_type.transform(x, g)) - out_type.transform(y, g)).abs().max()) for g in elements(in_type))


@torch.no_grad()
def lattice_error(f: Callable[[Tensor], Tensor], in_type: FieldType, out_type: FieldType, x: Tensor) -> float:
    """Largest ``|f(g x) - g f(x)|`` over elements that map pixels to pixels."""
    group, grid = in_type.group, PixelGrid.of(x)
    exact = [g for g in elements(in_type) if grid.is_exact(group, g)]
    if len(exact) < 2:
        raise ValueError(f"{group.name} has no lattice element but the identity: nothing is tested")
    y = f(x)
    move = PixelGrid.of(y).transform if y.dim() == 4 else out_type.transform
    args = (lambda t, g: (t, out_type, g)) if y.dim() == 4 else (lambda t, g: (t, g))
    return max(float((f(grid.transform(x, in_type, g)) - move(*args(y, g))).abs().max()) for g in exact)


def draw(type: FieldType, *shape: int, batch: int = 3, seed: int = 0) -> Tensor:
    """A random field in float64, off centre so that means matter."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, type.size, *shape, dtype=torch.float64, generator=generator) + 0.7


def randomise(layer: nn.Module) -> nn.Module:
    """Parameters and statistics away from their trivial start, in float64."""
    generator = torch.Generator().manual_seed(1)
    layer.double()
    with torch.no_grad():
        for name, t in [*layer.named_parameters(), *layer.named_buffers()]:
            if name.rsplit(".")[-1] in ("weight", "bias", "running_mean", "running_var"):
                t.copy_(torch.rand(t.shape, dtype=t.dtype, generator=generator) + 0.5)
    return layer


def tooling(layer: nn.Module, x: Tensor) -> None:
    """Compile, export, vmap, copies, bake, empty batch, loading, low precision, second derivatives: all in eval."""
    layer = layer.double().eval()
    y = layer(x)
    torch._dynamo.reset()
    near = {"rtol": 0.0, "atol": 1e-10}
    torch.testing.assert_close(torch.compile(layer, fullgraph=True, backend="aot_eager")(x), y, **near)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), y, **near)
    torch.testing.assert_close(torch.vmap(lambda v: layer(v[None])[0])(x), y, **near)
    torch.testing.assert_close(copy.deepcopy(layer)(x), y, rtol=0, atol=0)
    again = pickle.loads(pickle.dumps(layer))
    torch.testing.assert_close(again(x), y, rtol=0, atol=0)
    again.load_state_dict(layer.train().state_dict(), strict=True)
    layer.eval()
    baked = st.nn.bake(layer)
    assert not any(isinstance(m, st.nn.EquivariantModule) for m in baked.modules())
    torch.testing.assert_close(baked(x), y, **near)
    assert layer(x[:0]).shape == (0, *y.shape[1:])
    assert torch.isfinite(layer.train()(x[:0])).all() and layer(x[:0]).shape == (0, *y.shape[1:])
    narrow = copy.deepcopy(layer).float()
    with torch.autocast("cpu", torch.bfloat16):
        assert narrow.eval()(x.float()).isfinite().all() and narrow.eval()(x.bfloat16()).dtype == torch.bfloat16
    assert torch.autograd.gradgradcheck(layer.eval(), (x[:1].clone().requires_grad_(),), atol=1e-6, fast_mode=True)


def gradients_of_both_orders(layer: nn.Module, shape: tuple[int, ...]) -> None:
    """First and second derivatives of a linear layer with a hand-written gradient, against its matrix."""
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    g = torch.randn_like(y).requires_grad_()
    (back,) = torch.autograd.grad(y, x, g, create_graph=True)
    matrix = torch.func.jacrev(lambda v: layer(v).flatten())(x.detach()).flatten(1)
    assert float((back.flatten() - g.flatten() @ matrix).detach().abs().max()) < 1e-12
    h = torch.randn_like(back)
    (again,) = torch.autograd.grad(back, g, h)
    assert float((again.flatten() - matrix @ h.flatten()).detach().abs().max()) < 1e-12
