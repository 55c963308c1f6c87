"""Harmonics at the samples of a sphere, by the dense reference that shares nothing with the grids."""

import math

import torch

from steerable.domains import Homogeneous
from steerable.groups import SO2, SO3
from steerable.groups.sampling import frame_over


def synthesis(sphere, band, type="1x0"):
    """``[N, C, D]``: values of fields of SO2 from coefficients of degrees below the band."""
    theta, phi = sphere.angles().reshape(-1, 2).unbind(-1)
    return Homogeneous(SO3(), SO2(), band - 1).fields(type).evaluate(frame_over(SO3(), phi, theta))


def defect(sphere, band, type="1x0"):
    """Largest error of analysis after synthesis of one coefficient."""
    y = synthesis(sphere, band, type)
    weighted = y * (sphere.flat_weights() / (4 * math.pi))[:, None, None]
    found = torch.einsum("ncd,nce->de", y, weighted)
    return float((found - torch.eye(y.shape[-1], dtype=torch.float64)).abs().max())
