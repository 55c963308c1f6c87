"""Coefficients of real harmonics as the complex ones of healpy, and back."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def to_alm(c: Tensor, spin: int = 0) -> Tensor:
    """Coefficients of :class:`steerable.nn.SHT` as ``healpy.alm2map`` takes them: complex, ``m >= 0``, order by order.

    ``a_l0 = sqrt(4 pi) c_l0`` and ``a_lm = sqrt(2 pi) (-1)^m (c_lm - i c_l,-m)``, of orthonormal harmonics with the
    phase of Condon and Shortley. E and B are those of (Q, U) along south and east, HEALPix's convention (COSMO).

    Args:
        c: real ``[..., D]``, of one field.
        spin: 0, or 2 of polarisation.

    Returns:
        Complex ``[..., L (L + 1) / 2]``: all l of m = 0, then all l >= 1 of m = 1, and so on. Of spin 2
        ``[..., 2, L (L + 1) / 2]``, E and B, as ``healpy.map2alm_spin`` gives them.

    Raises:
        ValueError: for another spin, or a number of coefficients that one field cannot have.

    Example:
        >>> to_alm(torch.tensor([1.0, 0, 0, 0]))
        tensor([3.5449+0.j, 0.0000+0.j, 0.0000+0.j])
    """
    _require_spin("to_alm", spin)
    size = c.shape[-1] if spin == 0 else c.shape[-1] // 2 + 4
    band = math.isqrt(size)
    if c.is_complex() or band <= spin or band**2 != size or (spin and c.shape[-1] % 2):
        raise ValueError(
            f"to_alm: coefficients are {list(c.shape)} of {c.dtype}; expected real "
            f"[..., {'2 L^2 - 8' if spin else 'L^2'}] of one field of spin {spin}. Of C equal ones say "
            f"c.unflatten(1, (C, -1))"
        )
    if spin:
        magnetic, electric = torch.nn.functional.pad(c[..., _copies(band, c.device)], (4, 0)).unbind(-2)
        return torch.stack([to_alm(-electric), to_alm(magnetic)], -2)
    degree, order = _pairs(band, c.device)
    plus, minus = c[..., degree**2 + degree + order], c[..., degree**2 + degree - order]
    return torch.complex(plus, torch.where(order == 0, 0, -minus)) * _scale(order, c)


def from_alm(alm: Tensor, spin: int = 0) -> Tensor:
    """The inverse of :func:`to_alm`: coefficients of :class:`steerable.nn.InverseSHT` from healpy's.

    Args:
        alm: complex ``[..., L (L + 1) / 2]`` with ``mmax = lmax = L - 1``; of spin 2 ``[..., 2, L (L + 1) / 2]``, E and
            B. Imaginary parts of m = 0 do not count, nor degrees below the spin.
        spin: 0, or 2 of polarisation.

    Raises:
        ValueError: for another spin, or another number of coefficients.
    """
    _require_spin("from_alm", spin)
    band = (math.isqrt(8 * alm.shape[-1] + 1) - 1) // 2
    lead = alm.shape[-2:-1] == (2,) if spin else True
    if not alm.is_complex() or not lead or band <= spin or band * (band + 1) != 2 * alm.shape[-1]:
        raise ValueError(
            f"from_alm: coefficients are {list(alm.shape)} of {alm.dtype}; expected complex "
            f"[..., {'2, ' if spin else ''}L (L + 1) / 2], those of all m up to l"
        )
    if spin:
        electric, magnetic = (from_alm(part)[..., 4:] for part in alm.unbind(-2))
        place = _copies(band, alm.device).flatten()
        copies = torch.cat([magnetic, -electric], -1)
        return torch.empty_like(copies).index_copy(-1, place, copies)
    degree, order = _pairs(band, alm.device)
    scaled, positive = alm / _scale(order, alm.real), order > 0
    c = scaled.real.new_zeros(*alm.shape[:-1], band**2)
    c = c.index_copy(-1, degree**2 + degree + order, scaled.real)
    return c.index_copy(-1, (degree**2 + degree - order)[positive], -scaled.imag[..., positive])


def _require_spin(function: str, spin: int) -> None:
    if spin not in (0, 2):
        raise ValueError(f"{function}: the spin is {spin!r}; expected 0, or 2 of polarisation")


def _pairs(band: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Degree and order of each number, order by order."""
    order, degree = torch.triu_indices(band, band, device=device)
    return degree, order


def _copies(band: int, device: torch.device) -> Tensor:
    """Places ``[2, L^2 - 4]`` of both copies of spin 2, which alternate degree by degree."""
    degree = torch.arange(2, band, device=device).repeat_interleave(2 * torch.arange(2, band, device=device) + 1)
    first = torch.arange(4, band**2, device=device) + degree**2 - 8
    return torch.stack([first, first + 2 * degree + 1])


def _scale(order: Tensor, like: Tensor) -> Tensor:
    sign = 1 - 2 * (order % 2).to(like)
    return torch.where(order == 0, math.sqrt(4 * math.pi), sign * math.sqrt(2 * math.pi)).to(like)
