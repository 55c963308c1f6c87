"""Answers at every place into files, one for each sample: npy, TIFF, PNG, or FITS on HEALPix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.sphere_file import FITS
from steerable.data.sphere_write import require_healpix, write_healpix
from steerable.data.tiff import require_tifffile, write_tiff
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.run.store import is_dense

FORMS = ("npy", "tif", "png", "fits")
ENDS = {"npy": (".npy",), "tif": (".tif", ".tiff"), "png": (".png",), "fits": FITS}
ORDERS = ("ring", "nested")


@dataclass(frozen=True)
class AnswerFiles:
    """A folder for answers at every place.

    Attributes:
        folder: where they go.
        record: of the run.
        form: one of :data:`FORMS`.
        sphere: of FITS files.
        nested: their order; None: that of the sampling.
        fill: FITS files have the answer also where the map is missing; else UNSEEN there.
    """

    folder: Path
    record: Mapping[str, Any]
    form: str = "npy"
    sphere: Sphere | None = None
    nested: bool | None = None
    fill: bool = False

    @staticmethod
    def of(
        name: str | None, record: Mapping[str, Any], form: str = "npy", order: str | None = None, fill: bool = False
    ) -> AnswerFiles | None:
        """Look at the folder, where one was named; the first answer makes it.

        Args:
            name: the folder; None: there is none.
            record: of the run.
            form: one of :data:`FORMS`.
            order: of FITS files, one of :data:`ORDERS`; None: that of the sampling.
            fill: these have the answer also where the map is missing.

        Raises:
            InputError: a network that answers once for a sample, a folder that holds something, or a form that does
                not hold its answers: FITS maps on HEALPix, TIFF images and volumes, PNG classes of images.
        """
        if fill and form != "fits":
            raise InputError(f"--fill-missing and {form} files, which have all answers; expected --answer-format fits.")
        if name is None:
            if form != "npy" or order is not None:
                what = f"--answer-format {form}" if order is None else f"--order {order}"
                raise InputError(f"{what}: there is no folder for the files; expected --answers FOLDER, too.")
            return None
        folder = Path(name)
        if not is_dense(record):
            raise InputError(
                f"--answers '{name}': the network answers once for a sample; expected one that answers at every place. "
                "Drop --answers."
            )
        sphere = None
        if form == "fits":
            if not record.get("sampling"):
                raise InputError(f"--answer-format {form}: the run is on no sphere; expected maps on HEALPix. Say npy.")
            sphere = require_healpix(parse_sphere(record["sampling"]), f"--answer-format {form}")
        elif order is not None:
            raise InputError(
                f"--order {order} and {form} files, in the order of the sampling; expected --answer-format fits."
            )
        elif form != "npy":
            _check_form(form, record)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"--answers '{name}' exists and is not empty; expected a new folder. Say another one.")
        return AnswerFiles(folder, record, form, sphere, None if order is None else order == "nested", fill)

    def write(
        self, name: str, answer: Tensor, known: Tensor | None = None, header: Mapping[str, str] | None = None
    ) -> None:
        """Write the answer to one sample.

        Args:
            name: its id.
            answer: classes ``[*places]``, -1 where there is none (255 in PNG files), or values ``[K, *places]``.
            known: of FITS files: where the map is not missing; None: everywhere.
            header: of FITS files: further keys, such as COORDSYS.

        Raises:
            InputError: a file of that name is there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = name.replace("/", "_")
        whole = self.form != "npy" and name.lower().endswith(ENDS[self.form])
        path = self.folder / (name if whole else f"{name}.{self.form}")
        if path.exists():
            raise InputError(
                f"'{path}': another sample has this name; expected names that differ when / is _. Rename the sample."
            )
        target = self.record["target"]
        if self.sphere is None:
            _write(path, self.form, answer.numpy(), target is None)
            return
        known = None if self.fill else known
        if target is None:
            write_healpix(path, answer[None], self.sphere, ["class"], "", self.nested, False, known, header)
            return
        polarised = re.search(r"x2\b", str(target.get("type", ""))) is not None
        unit = target.get("units") or target["unit"]
        write_healpix(path, answer, self.sphere, target["columns"], unit, self.nested, polarised, known, header)


def _check_form(form: str, record: Mapping[str, Any]) -> None:
    """Refuse TIFF files of what are no images or volumes, PNG files of what are no classes of images."""
    axes = 0 if record.get("sampling") else len(record["raw_size"])
    if form == "tif" and axes in (2, 3):
        require_tifffile("--answer-format tif")
    elif form == "tif" or axes != 2 or record["target"] is not None:
        what = "images or volumes" if form == "tif" else "classes of images"
        raise InputError(f"--answer-format {form}: the run answers with something else; expected {what}. Say npy.")


def _write(path: Path, form: str, answer: np.ndarray, classes: bool) -> None:
    """Write classes or values of an image or a volume, or an array of any kind."""
    if form == "npy":
        np.save(path, answer)
    elif form == "png":
        from PIL import Image

        Image.fromarray(np.where(answer < 0, 255, answer).astype(np.uint8)).save(path)
    else:
        space = "ZYX"[3 - answer.ndim + (not classes) :]
        write_tiff(path, answer, space if classes else f"C{space}")
