"""The microwave sky of WMAP: polarisation, a field of spin 2, and what the Galaxy hides."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from steerable.data import InputError, Samples, Splits, Target
from steerable.data.files import load_npz
from steerable.domains.sphere import HealpixSphere
from steerable.tasks.sky.blocks import hidden
from steerable.tasks.sky.earth import source_file
from steerable.tasks.sky.globe import Globe
from steerable.tasks.sky.one_globe import of_one_globe
from steerable.tasks.sky.views import PREPARED, Survey

POLARISATION = Target("polarisation", "uK", ("Q", "U"), everywhere=True, type="1x2")
INTENSITY = Target("intensity", "uK", everywhere=True)
# least share of the sky that a smoothed sample must have been observed on
_LEAST = 0.5


@of_one_globe(sampling="healpix(16)")
def wmap(
    root: str | Path | None,
    survey: Survey,
    answer: str = "polarisation",
    removed: float = 0.3,
) -> Splits:
    """The seven-year map of WMAP in the V band (61 GHz) with its mask: polarisation from intensity, or intensity.

    The file has I, Q, U on HEALPix of nside 32 in Galactic coordinates, in millikelvin. Q and U follow the convention
    of HEALPix (COSMO): Q along south and U half way from south to east, so that (Q, U) is a field ``1x2`` in the frames
    of the library as it stands. The convention of the IAU has the other sign of U. Only with this sign has the sky
    more electric than magnetic power, as it should.

    Masked pixels are 0 before anything else: the map and the mask are smoothed alike, as a scalar and a field of spin
    2 by their harmonics, and divided, so that a sample is the mean over the observed sky around it, and nothing of the
    Galaxy leaks out. Samples with less than half of it observed are masked, which a channel says.

    ``polarisation``: input I and the mask, answer Q and U in the blocks of the part. Most of it is noise at this
    resolution: expect little above the constant. ``intensity``: input I where it is visible, where that is, Q and U
    (type ``2x0 + 1x2``); the answer is I where it was removed. The blocks of validation and test, and what is near
    them, are removed for all parts; in training some blocks of its own are removed at random, and asked for.

    Args:
        root: the folder of the data sets, with a folder ``sphere``; the environment variable ``STEERABLE_DATA``
            otherwise.
        answer: ``polarisation`` or ``intensity``.
        removed: of the blocks of training, the share whose intensity is removed, drawn for each view.

    Raises:
        InputError: no data, another answer, a share that is not between 0 and 1, or what :class:`Survey` refuses.

    Source: Jarosik et al., ApJS 192 (2011) 14.
    """
    if answer not in ("polarisation", "intensity") or not 0 < removed < 1:
        raise InputError(
            f"wmap: data.options.answer is '{answer}' and removed {removed}; expected polarisation or intensity, and a "
            "share between 0 and 1."
        )
    globe = observed(root, survey)
    seen, fields = [], []
    for views in survey.views:
        found = globe.views(views.rotations)
        share = found[:, :1]
        seen.append(share[:, 0] >= _LEAST)
        fields.append(torch.where(share >= _LEAST, found[:, 1:] / share, 0.0))
    own = (seen[0] & survey.views[0].mine)[:, None]
    mean, scale = (float(f(fields[0][:, :1][own])) for f in (torch.mean, torch.std))
    generator = torch.Generator().manual_seed(survey.seed * 1009 + 3)
    parts = []
    for k, (views, visible, x) in enumerate(zip(survey.views, seen, fields, strict=True)):
        known = visible & views.mine
        name = f"wmap ({views.part})"
        if answer == "polarisation":
            light = (x[:, :1] - mean) / scale * visible[:, None]
            x_in = torch.cat([light, visible[:, None].float()], 1)
            parts.append(
                Samples(x_in, hidden(x[:, 1:], known), POLARISATION, name, sampling=survey.sampling, type="2x0")
            )
            continue
        shown = visible & (survey.blocks.parts(views.places) == 0)
        if k == 0:
            gone = torch.rand(len(x), len(survey.blocks.part), generator=generator) < removed
            number = survey.blocks.number(views.places)
            away = gone.gather(1, number.flatten(1)).view(number.shape)
            shown, known = shown & ~away, known & away
        light = (x[:, :1] - mean) / scale * shown[:, None]
        x_in = torch.cat([light, shown[:, None].float(), x[:, 1:] / 2], 1)  # they are about 2 uK
        parts.append(
            Samples(x_in, hidden(x[:, :1], known), INTENSITY, name, sampling=survey.sampling, type="2x0 + 1x2")
        )
    return Splits(*parts, input=PREPARED)


def observed(root: str | Path | None, survey: Survey) -> Globe:
    """The mask, and I, Q, U in microkelvin, 0 where masked: fields ``2x0 + 1x2``.

    Raises:
        InputError: no such file, or a map that is not of one HEALPix resolution by rings.
    """
    path = source_file(root, "wmap7_V_nside32_iqu.npz")
    z = load_npz(path, ("iqu", "mask", "nside", "ordering", "mask_ordering"))
    sphere = HealpixSphere(int(z["nside"]))
    orders = (str(z["ordering"]), str(z["mask_ordering"]))
    if orders != ("RING", "RING") or z["iqu"].shape != (3, sphere.num_points) or z["mask"].shape != sphere.shape:
        raise InputError(
            f"{path}: maps {list(z['iqu'].shape)} and {list(z['mask'].shape)} of nside {sphere.nside}, ordered {orders}"
            f"; expected [3, {sphere.num_points}] and [{sphere.num_points}] by RING. Reorder the maps."
        )
    iqu, mask = (torch.from_numpy(z[k]).double() for k in ("iqu", "mask"))
    return survey.globe(sphere, masked(1000 * iqu, mask), "2x0 + 1x2")


def masked(maps: Tensor, mask: Tensor) -> Tensor:
    """Return the mask ``[N]`` (1: observed) and maps ``[C, N]`` times the mask: ``[1 + C, N]``."""
    known = (mask > 0.99).to(maps)
    return torch.cat([known[None], torch.where(known > 0, maps, 0.0)])
