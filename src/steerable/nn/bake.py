"""From a model with groups to one of fixed tensors and ordinary operators."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from steerable.nn.module import EquivariantModule
from steerable.nn.plain_fourier import fold_fourier
from steerable.nn.sequential import Chain, Plain


def bake(module: nn.Module) -> nn.Module:
    """Replace every equivariant layer by a plain one of the same function in eval.

    Works on any ``nn.Module``: a layer of this library, a model, or a user's own module that holds such layers as
    attributes. The result is in eval mode and shares nothing with the original. Steerable convolutions become
    ``Conv2d``; a batch norm right after one, in a chain, is folded into it.

    Args:
        module: any module; it is not changed.

    Returns:
        A module without group objects, ``bake(m)(x) == m.eval()(x)`` to 1e-10 in float64.

    Raises:
        NotImplementedError: if an equivariant layer does not define ``bake``.
    """
    if isinstance(module, EquivariantModule) and type(module).bake is not EquivariantModule.bake:
        baked = module.bake() if isinstance(module, Plain) else copy.deepcopy(module).eval().bake()
        return baked.eval()
    if isinstance(module, nn.Sequential):
        children = [(name, bake(child)) for name, child in module.named_children()]
        layers = fold([child for _, child in children])
        on_points = any(getattr(layer, "takes_neighbourhood", False) for layer in layers)
        chain = Chain(*layers) if on_points else nn.Sequential(*layers)
        return chain.eval()
    if isinstance(module, EquivariantModule) and not any(True for _ in module.children()):
        module.bake()  # raises with the name of the layer
    shell = _shallow(module)
    for name, child in module.named_children():
        setattr(shell, name, bake(child))
    return shell.eval()


def _shallow(module: nn.Module) -> nn.Module:
    """A copy that owns its parameters and whose children are still to be replaced."""
    memo: dict[int, object] = {id(child): child for child in module.children()}
    return copy.deepcopy(module, memo)


def fold(layers: list[nn.Module]) -> list[nn.Module]:
    """Fold each batch norm into the linear map right before it, and drop identities."""
    flat: list[nn.Module] = []
    for layer in layers:
        nested = list(layer) if type(layer) is nn.Sequential else [layer]
        for part in nested:
            if isinstance(part, nn.Identity):
                continue
            if fold_fourier(flat, part):
                continue
            last = flat[-1] if flat else None
            if isinstance(part, nn.BatchNorm2d) and type(last) is nn.Conv2d:
                flat[-1] = fuse_conv_bn_eval(last.eval(), part.eval())
            elif isinstance(part, nn.BatchNorm1d) and type(last) is nn.Linear:
                flat[-1] = fuse_linear_bn_eval(last.eval(), part.eval())
            else:
                flat.append(part)
    return flat
