"""Initial weights of steerable maps, in closed form from the norms of the basis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from steerable.fields.type import FieldType
from steerable.kernels.bank import FilterBank

if TYPE_CHECKING:
    from steerable.nn.steerable_map import SteerableMap


def initialise(layer: SteerableMap, how: str = "he") -> None:
    """Draw the weights of a layer, and set its bias to zero.

    Args:
        layer: a convolution or linear map.
        how: ``"he"`` or ``"delta"``.

    Raises:
        ValueError: for another name.
    """
    if layer.bias is not None:
        torch.nn.init.zeros_(layer.bias)
    if how == "he":
        generalised_he_(layer)
    elif how == "delta":
        delta_orthogonal_(layer)
    else:
        raise ValueError(f"unknown initialisation {how!r}; expected 'he' or 'delta'")


def standard_deviations(bank: FilterBank, gain: float) -> list[float]:
    """One standard deviation for each segment: the inputs of a channel share its variance equally."""
    sources: dict[int, int] = {}
    for s in bank.segments:
        sources[s.out_part] = sources.get(s.out_part, 0) + 1
    return [gain / math.sqrt(sources[s.out_part] * max(s.fan, 1e-12)) for s in bank.segments]


@torch.no_grad()
def generalised_he_(layer: SteerableMap, gain: float = math.sqrt(2.0)) -> None:
    """Weights such that white input of unit variance gives output of variance ``gain^2``.

    Basis elements have unit norm, so the variance is closed form (Weiler and Cesa, arXiv 1911.08251, appendix).
    """
    bank = layer.bank
    deviations = standard_deviations(bank, gain)
    if len(bank.segments) == 1:
        layer.weight.normal_(std=deviations[0])
        return
    layer.weight.normal_()
    start = 0
    for segment, deviation in zip(bank.segments, deviations, strict=True):
        layer.weight[start : start + segment.weights] *= deviation
        start += segment.weights


@torch.no_grad()
def delta_orthogonal_(layer: SteerableMap, gain: float = 1.0) -> None:
    """Weights for which the filter is an orthogonal intertwiner at the centre pixel and zero elsewhere.

    Random orthogonal matrices mix the copies of each irrep (Xiao et al., arXiv 1806.05393, in the form of Weiler and
    Cesa), so norms pass unchanged through the map wherever the output has room.
    """
    in_type, out_type = layer.in_type, layer.out_type
    if layer.groups > 1:
        in_type, out_type = in_type.split(layer.groups), out_type.split(layer.groups)
    matrix = np.concatenate([_orthogonal_intertwiner(in_type, out_type) for _ in range(layer.groups)]) * gain
    bank = layer.bank
    area = math.prod(layer._shape[2:])
    rows = matrix.reshape(-1)[bank.inverse]
    weights, start = [], 0
    for s in bank.segments:
        stop = start + s.count * s.bank.shape[1] // area
        basis = s.bank.reshape(len(s.bank), -1, area)
        centre = basis[:, :, area // 2]
        still = np.abs(basis).sum((1, 2)) - np.abs(centre).sum(1) < 1e-9  # elements that live on the centre pixel alone
        w = np.zeros((s.count, len(s.bank)))
        if still.any():
            w[:, still] = rows[start:stop].reshape(s.count, -1) @ np.linalg.pinv(centre[still])
        weights.append(w.reshape(-1))
        start = stop
    layer.weight.copy_(torch.from_numpy(np.concatenate([*weights, np.zeros(0)])))


@torch.no_grad()
def project_filter_(layer: SteerableMap, target: Tensor) -> float:
    """Set the weights to those whose filter is closest to ``target`` within each pair of parts.

    Args:
        layer: a convolution or linear map.
        target: ``[C_out, C_in / groups, *kernel]``.

    Returns:
        Largest deviation of the new filter from the target: 0 if the target is steerable and within the band.

    Raises:
        ValueError: if the shape of the target is not that of the filter.
    """
    if tuple(target.shape) != tuple(layer._shape):
        raise ValueError(
            f"project_filter_: expected a filter of shape {tuple(layer._shape)}, got {tuple(target.shape)}"
        )
    bank = layer.bank
    area = math.prod(layer._shape[2:])
    flat = target.double().reshape(-1, area).numpy()
    rows = flat[bank.inverse]
    weights, start = [], 0
    for s in bank.segments:
        stop = start + s.count * s.bank.shape[1] // area
        weights.append((rows[start:stop].reshape(s.count, -1) @ np.linalg.pinv(s.bank)).reshape(-1))
        start = stop
    values = np.concatenate(weights) if weights else np.zeros(0)
    layer.weight.copy_(torch.from_numpy(values))
    achieved = [
        (w.reshape(s.count, -1) @ s.bank).reshape(-1, area) for w, s in zip(weights, bank.segments, strict=True)
    ]
    result = np.zeros_like(flat)
    if achieved:
        result[bank.inverse] = np.concatenate(achieved)
    return float(np.abs(result - flat).max(initial=0.0))


def _orthogonal_intertwiner(in_type: FieldType, out_type: FieldType) -> np.ndarray:
    """Random intertwiner ``[C_out, C_in]``, orthogonal on every irrep that both types hold."""
    result = np.zeros((out_type.size, in_type.size))
    left, right = _copies(out_type), _copies(in_type)
    for id in right:
        if id not in left:
            continue
        n, m = sum(len(c) for _, c in left[id]), sum(len(c) for _, c in right[id])
        # the default device and dtype of the caller must not matter here
        mix = torch.nn.init.orthogonal_(torch.from_numpy(np.empty((n, m)))).numpy()
        i = 0
        for frame_out, fields_out in left[id]:
            j = 0
            for frame_in, fields_in in right[id]:
                part = mix[i : i + len(fields_out), j : j + len(fields_in)]
                block = np.einsum("ab,cd->acbd", part, frame_out @ frame_in.T)
                result[np.ix_(fields_out.reshape(-1), fields_in.reshape(-1))] += block.reshape(
                    fields_out.size, fields_in.size
                )
                j += len(fields_in)
            i += len(fields_out)
    return result


def _copies(type: FieldType) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """For every irrep its isometries ``[d_rep, d]`` into a field, with the channels ``[m, d_rep]`` of its fields."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for block in type.blocks:
        channels = np.arange(block.start, block.stop).reshape(block.shape)
        for (start, stop), id in zip(block.rep.irrep_slices, block.rep.irreps, strict=True):
            found.setdefault(id, []).append((block.rep.basis[:, start:stop], channels))
    return found
