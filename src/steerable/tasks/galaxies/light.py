"""The light of made-up galaxies on a grid of pixels: bulge, disc, bar, spiral arms, and what is odd about them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.tasks.galaxies.galaxy import CLUMPS, Galaxies
from steerable.tasks.lensing.psf import blur, gaussian_matrix

__all__ = ["render_galaxies", "sersic", "spiral_phase", "stretch"]

# red, green, blue of old and of young stars, and of a foreground star
_OLD, _YOUNG, _WHITE = (1.0, 0.72, 0.46), (0.62, 0.78, 1.0), (1.0, 0.97, 0.9)
_CORE = 0.012  # half sides: below the size of a pixel a cusp is smooth
_THICK = 0.13  # height of a disc over its scale length, as an axis ratio
_STRETCH = 12.0


def sersic(radius: Tensor, size: Tensor, index: Tensor) -> Tensor:
    """Sersic's law ``exp(-b ((r / size)^(1 / n) - 1))``, 1 at the half-light radius.

    Args:
        radius: elliptical radius.
        size: half-light radius; broadcasts.
        index: Sersic index n of at least 0.5; b is its usual expansion (Ciotti and Bertin, A&A 352, 447, 1999).
    """
    b = 2 * index - 1 / 3 + 4 / (405 * index) + 46 / (25515 * index.square())
    return torch.exp(-b * ((radius / size) ** (1 / index) - 1))


def spiral_phase(x: Tensor, y: Tensor, arms: Tensor, pitch: Tensor, start: Tensor) -> Tensor:
    """Phase of logarithmic spiral arms ``r = exp(tan(pitch) theta)`` in the plane of the disc; crests at 0 mod 2 pi."""
    radius = torch.hypot(x, y).clamp_min(1e-6)
    return arms * (torch.atan2(y, x) - radius.log() / pitch.tan()) + start


def stretch(light: Tensor) -> Tensor:
    """Bring intensities to [0, 1] as pictures of the sky are made: ``asinh(12 I) / asinh(12)``, clipped."""
    return (torch.asinh(_STRETCH * light) / math.asinh(_STRETCH)).clamp(0, 1)


def render_galaxies(galaxies: Galaxies, pixels: int = 69, psf_fwhm: float = 1.2) -> Tensor:
    """Return linear intensities without noise, float64 ``[N, 3, pixels, pixels]``.

    Everything is drawn from coordinates, so a galaxy turned by 90 degrees gives the turned image to rounding.

    Args:
        galaxies: what to draw.
        pixels: side of the image.
        psf_fwhm: of the seeing, in pixels.
    """
    place = (torch.arange(pixels, dtype=torch.float64) - (pixels - 1) / 2) / (pixels / 2)
    x1 = place[None, None, :] - galaxies.offset[:, 0, None, None]
    x2 = -place[None, :, None] - galaxies.offset[:, 1, None, None]
    c, s = galaxies.angle.cos()[:, None, None], galaxies.angle.sin()[:, None, None]
    x, y = c * x1 + s * x2, galaxies.mirror[:, None, None] * (c * x2 - s * x1)
    image = torch.zeros(len(galaxies), 3, pixels, pixels, dtype=torch.float64)
    for kind, draw in enumerate((_smooth, _disc, _artifact)):
        here = (galaxies.kind == kind).nonzero()[:, 0]
        if len(here):
            image[here] = draw(galaxies[here], *_bent(galaxies[here], x[here], y[here]))
    image = image + _odd(galaxies, x, y) + _clumps(galaxies, x, y)
    dust = (galaxies.odd == 6)[:, None, None] * 0.85
    image = image * (1 - dust * torch.exp(-0.5 * ((y - 0.01) / 0.02).square()))[:, None]
    return blur(image * galaxies.brightness[:, None, None, None], gaussian_matrix(pixels, psf_fwhm))


def _over(value: Tensor) -> Tensor:
    """``[N]`` to ``[N, 1, 1]``."""
    return value[:, None, None]


def _colour(light: Tensor, rgb: tuple[float, float, float]) -> Tensor:
    """``[N, H, W]`` to ``[N, 3, H, W]``."""
    return light[:, None] * torch.tensor(rgb, dtype=light.dtype)[:, None, None]


def _bent(g: Galaxies, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The coordinates in which a disturbed galaxy is a regular one: bent into a banana and pulled to one side."""
    amount = _over((g.odd == 2) * (1.2 + g.odd_size))
    return x * (1 + 0.6 * amount * y), y - amount * x.square() + 0.15 * amount * x


def _smooth(g: Galaxies, x: Tensor, y: Tensor) -> Tensor:
    q = _over(g.axis_ratio)
    radius = torch.sqrt(x.square() * q + y.square() / q + _CORE**2)
    return _colour(0.13 * sersic(radius, _over(g.size), _over(g.index)), _OLD)


def _disc(g: Galaxies, x: Tensor, y: Tensor) -> Tensor:
    h, cosine, seen = _over(g.size), _over(g.cos_inclination), _over(g.visible)
    thick = _THICK
    q = torch.sqrt(cosine.square() * (1 - thick**2) + thick**2)
    up = y / q  # in the plane of the disc
    radius = torch.sqrt(x.square() + up.square() + _CORE**2)
    # an edge-on disc is brighter, as more stars lie along a line of sight; dust takes most of that
    disc = 0.42 * torch.exp(-radius / h) * (1 + 0.5 * (1 - seen)) * torch.sigmoid((4.2 * h - radius) / (0.25 * h))
    disc = disc * _over(1 - g.bulge)
    bar_length = 1.5 * h
    arms = 0.5 + 0.5 * torch.cos(spiral_phase(x, up, _over(g.arms).double(), _over(g.pitch), _over(g.arm_phase)))
    inner = torch.sigmoid((radius - 0.9 * h) / (0.22 * h))  # arms begin outside the bulge
    contrast = _over(g.arm_strength) * seen * inner
    narrow = arms**2.5
    pattern = 1 + contrast * (4.2 * narrow - 1.0)
    ca, sa = _over(g.bar_angle.cos()), _over(g.bar_angle.sin())
    bx, by = ca * x + sa * up, ca * up - sa * x
    bar = torch.exp(-0.5 * ((bx / bar_length).abs() ** 3.5 + (by / (0.2 * bar_length)).square()))
    bar = 0.42 * _over(g.bar) * seen * bar
    size = h * (0.35 + 0.9 * _over(g.bulge))
    flat = 0.55 + 0.45 * cosine
    boxy = _over((g.edge_bulge == 1) & (g.cos_inclination < 0.25))
    ellipse = torch.sqrt(x.square() + (y / flat).square() + _CORE**2)
    box = ((x.abs() + _CORE) ** 4 + ((y.abs() + _CORE) / 0.65) ** 4) ** 0.25
    bulge = 0.75 * _over(g.bulge) * sersic(torch.where(boxy, 1.15 * box, ellipse), size, torch.where(
        boxy, 1.0, _over(g.index)))  # fmt: skip
    young = _over(g.blue)[:, None]
    stars = (1 - young) * _colour(disc, _OLD) + young * _colour(disc, _YOUNG)
    lit = _colour(disc * (pattern - 1).clamp_min(0), _YOUNG)
    dark = _colour(disc * (pattern - 1).clamp_max(0), _OLD)
    return (stars + lit + dark).clamp_min(0) + _colour(bulge + bar, _OLD)


def _artifact(g: Galaxies, x: Tensor, y: Tensor) -> Tensor:
    radius = torch.sqrt(x.square() + y.square())
    star = 2.5 * torch.exp(-0.5 * (radius / 0.035).square()) + 0.25 * torch.exp(-radius / 0.08)
    for a, b in ((x, y), (y, x)):
        star = star + 0.5 * torch.exp(-a.abs() / 0.16 - 0.5 * (b / 0.012).square())
    trail = 0.7 * torch.exp(-0.5 * ((y - 0.2 * x) / 0.018).square())
    return _colour(torch.where(_over(g.odd_size < 0.25), trail, star), _WHITE)


def _odd(g: Galaxies, x: Tensor, y: Tensor) -> Tensor:
    """Ring, arc, jet or companion of those that have one."""
    q = torch.sqrt(_over(g.cos_inclination).square() * (1 - _THICK**2) + _THICK**2)
    radius = torch.sqrt(x.square() + (y / q).square())
    ring = 0.16 * torch.exp(-0.5 * ((radius - _over(g.size * (2.4 + 0.5 * g.odd_size))) / 0.03).square())
    ca, sa = _over(g.odd_angle.cos()), _over(g.odd_angle.sin())
    u, v = ca * x + sa * y, ca * y - sa * x
    round_, bend = torch.sqrt(u.square() + v.square()), torch.atan2(v, u)
    arc_radius = _over(0.42 + 0.15 * g.odd_size)
    arc = 0.22 * torch.exp(-0.5 * ((round_ - arc_radius) / 0.022).square() - 0.5 * (bend / 0.5).square())
    jet = 0.25 * torch.exp(-0.5 * (v / 0.015).square()) * torch.sigmoid(u / 0.02) * torch.exp(-u.clamp_min(0) / 0.35)
    far = u - _over(0.34 + 0.16 * g.odd_size)
    mate = 0.12 * sersic(torch.sqrt(far.square() + 1.6 * v.square() + _CORE**2), _over(0.6 * g.size), _over(
        torch.full_like(g.size, 2.0)))  # fmt: skip
    bridge = 0.08 * torch.exp(-0.5 * (v / 0.05).square() - 0.5 * ((u - 0.2) / 0.14).square())
    has = [_over((g.odd == k).double()) for k in range(7)]
    return (
        _colour(has[0] * ring + has[1] * arc, _YOUNG)
        + _colour(has[4] * jet, _WHITE)
        + _colour(has[5] * (mate + bridge), _OLD)
    )


def _clumps(g: Galaxies, x: Tensor, y: Tensor) -> Tensor:
    total = torch.zeros_like(x)
    blue = torch.zeros_like(x)
    for k in range(CLUMPS):
        cx, cy, width, light = (_over(g.clumps[:, k, i]) for i in range(4))
        spot = light * torch.exp(-0.5 * ((x - cx).square() + (y - cy).square()) / width.square())
        mine = _over(g.clump_kind[:, k].double())
        blue, total = blue + 0.3 * mine * spot, total + (1 - mine) * spot
    return _colour(blue, _YOUNG) + _colour(total, _WHITE)
