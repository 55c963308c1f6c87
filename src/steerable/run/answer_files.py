"""Answers at every place into files, one for each sample: npy, or FITS on HEALPix."""

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
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.run.store import is_dense

FORMS = ("npy", "fits")
ORDERS = ("ring", "nested")


@dataclass(frozen=True)
class AnswerFiles:
    """A folder for answers at every place.

    Attributes:
        folder: where they go.
        record: of the run.
        sphere: of FITS files; None: npy files.
        nested: their order; None: that of the sampling.
    """

    folder: Path
    record: Mapping[str, Any]
    sphere: Sphere | None = None
    nested: bool | None = None

    @staticmethod
    def of(
        name: str | None, record: Mapping[str, Any], form: str = "npy", order: str | None = None
    ) -> AnswerFiles | None:
        """Make the folder, where one was named.

        Args:
            name: the folder; None: there is none.
            record: of the run.
            form: one of :data:`FORMS`.
            order: of FITS files, one of :data:`ORDERS`; None: that of the sampling.

        Raises:
            InputError: a network that answers once for a sample, a folder that holds something, or FITS files of what
                are no maps on HEALPix.
        """
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
                f"--order {order} and npy files, in the order of the sampling; expected --answer-format fits."
            )
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"--answers '{name}' exists and is not empty; expected a new folder. Say another one.")
        folder.mkdir(parents=True, exist_ok=True)
        return AnswerFiles(folder, record, sphere, None if order is None else order == "nested")

    def write(self, name: str, answer: Tensor) -> None:
        """Write the answer to one sample.

        Args:
            name: its id.
            answer: classes ``[*places]`` or values ``[K, *places]``.
        """
        name = name.replace("/", "_")
        if self.sphere is None:
            if (self.folder / f"{name}.npy").exists():
                raise InputError(
                    f"'{self.folder / name}.npy': another sample has this name; expected names that differ when / is _."
                    " Rename the sample."
                )
            np.save(self.folder / f"{name}.npy", answer.numpy())
            return
        target = self.record["target"]
        path = self.folder / (name if name.lower().endswith(FITS) else f"{name}.fits")
        if target is None:
            write_healpix(path, answer[None], self.sphere, ["class"], "", self.nested)
            return
        polarised = re.search(r"x2\b", str(target.get("type", ""))) is not None
        write_healpix(path, answer, self.sphere, target["columns"], target["unit"], self.nested, polarised)
