"""The published files of the Galaxy Zoo challenge: a table of 37 columns and a folder of JPEGs, read batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.image_file import read_image_file
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe, geometry
from steerable.data.samples import Samples
from steerable.data.splits import stratified_split
from steerable.data.table import read_columns
from steerable.tasks.galaxies.synthetic import galaxy_target
from steerable.tasks.galaxies.tree import GalaxyZooTree

__all__ = ["SOURCE", "GalaxyZooFiles", "galaxy_zoo"]

SOURCE = "https://www.kaggle.com/competitions/galaxy-zoo-the-galaxy-challenge/data"
TABLE, FOLDER = "training_solutions_rev1.csv", "images_training_rev1"
_HOW = f"Download {TABLE} and {FOLDER} from {SOURCE} (its terms apply) and unpack both into one folder"
_CHUNK = 256


class GalaxyZooFiles:
    """The training files of the challenge, opened: labels in memory, images on disk until they are asked for.

    Args:
        root: the folder that holds both; the table may also lie in a sub-folder of its own name.
        published: labels with the quirk of question 6, as those of the challenge; see :class:`GalaxyZooTree`.
        tolerance: how far the sum of a question may be off.
        violations: ``refuse`` rows that violate the tree, or ``drop`` them.
        sha256: of the table, if you know it.
        size: side of an image in pixels, after the crop and the binning.
        bins: pixels that are averaged into one, along each axis: 3 makes 69 of the central 207.
        limit: take only the first rows of the table.

    Attributes:
        ids: of the galaxies, as in the table.
        labels: float64 ``[N, 37]``.
        recipe: what is done to each picture.

    Raises:
        InputError: files that are missing (saying where to get them), another header, ids that are no numbers or occur
            twice, missing images, labels that violate the tree, another checksum.
    """

    def __init__(
        self,
        root: str | Path | None,
        published: bool = True,
        tolerance: float = 1e-4,
        violations: str = "refuse",
        sha256: str | None = None,
        size: int = 69,
        bins: int = 3,
        limit: int | None = None,
    ) -> None:
        if root is None:
            raise InputError(f"galaxies: data.root is {root}; expected a folder. {_HOW}, and set data.root.")
        if violations not in ("refuse", "drop"):
            raise InputError(f"galaxies: violations is '{violations}'; expected refuse or drop.")
        self.root = Path(root).expanduser()
        self.tree = GalaxyZooTree(published)
        self.recipe: Recipe = geometry(size, bins)
        table, self.folder = self._find(self.root)
        if sha256 is not None:
            found = hashlib.sha256(table.read_bytes()).hexdigest()
            if found != sha256.lower():
                raise InputError(f"galaxies: '{table}' has sha256 {found}; expected {sha256}. Download it again.")
        names = _header(table)
        if names != ["GalaxyID", *self.tree.columns]:
            wrong = next((i for i, n in enumerate(["GalaxyID", *self.tree.columns]) if names[i : i + 1] != [n]), 38)
            expected = ["GalaxyID", *self.tree.columns, "no more"][wrong]
            raise InputError(
                f"galaxies: column {wrong + 1} of '{table}' is {names[wrong : wrong + 1]} ({len(names)} columns); "
                f"expected '{expected}' of GalaxyID and the 37 answers in order. Take the table of the challenge."
            )
        columns = read_columns(table, tuple(names))
        self.ids = [str(i) for i in columns["GalaxyID"]][:limit]
        self._check_ids(table)
        rows = [columns[name] for name in self.tree.columns]
        if any(isinstance(v, (str, bool)) for row in rows for v in row[:1]):
            raise InputError(f"galaxies: '{table}' holds text among the 37 answers; expected numbers. Mend the table.")
        self.labels: Tensor = torch.tensor(rows, dtype=torch.float64).T[:limit].contiguous()
        if violations == "drop":
            good = (self.tree.violations(self.labels) <= tolerance).all(1).nonzero()[:, 0]
            if not len(good):
                self.tree.check(self.labels, self.ids, tolerance)
            self.labels, self.ids = self.labels[good], [self.ids[i] for i in good.tolist()]
        self.tree.check(self.labels, self.ids, tolerance)
        missing = [i for i in self.ids if not self.path(i).is_file()]
        if missing:
            raise InputError(
                f"galaxies: {len(missing)} of {len(self.ids)} images are missing in '{self.folder}' (first: "
                f"{missing[0]}.jpg); expected one for each row of the table. Unpack all of {FOLDER}, or set "
                "data.options.limit."
            )

    @staticmethod
    def _find(root: Path) -> tuple[Path, Path]:
        table = next((p for p in (root / TABLE, root / Path(TABLE).stem / TABLE) if p.is_file()), None)
        folder = root / FOLDER
        if table is None or not folder.is_dir():
            what = TABLE if table is None else FOLDER
            raise InputError(f"galaxies: '{root}' holds no {what}; expected {TABLE} and {FOLDER}. {_HOW}.")
        return table, folder

    def _check_ids(self, table: Path) -> None:
        odd = [i for i in self.ids if not i.isdigit()]
        if odd:
            raise InputError(f"galaxies: GalaxyID '{odd[0]}' in '{table}'; expected whole numbers. Mend the table.")
        if len(set(self.ids)) < len(self.ids):
            seen: set[str] = set()
            twice = next(i for i in self.ids if i in seen or seen.add(i))
            raise InputError(f"galaxies: GalaxyID {twice} occurs twice in '{table}'; expected each once. Drop one.")

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, id: str) -> Path:
        """Return the file of a galaxy."""
        return self.folder / f"{id}.jpg"

    def read(self, index: Sequence[int]) -> Tensor:
        """Read the images at `index`, cropped and binned, float32 ``[M, 3, size, size]`` in [0, 1].

        Raises:
            InputError: a file that cannot be read, or that is no colour picture of one size, naming it.
        """
        images = []
        for i in index:
            path = self.path(self.ids[i])
            image = read_image_file(path)
            if image.shape[1] != 3:
                raise InputError(f"'{path}' has {image.shape[1]} channels; expected 3, a colour picture. Replace it.")
            images.append(self.recipe(image))
        return torch.cat(images)

    def stream(self, batch_size: int = _CHUNK, order: Sequence[int] | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images ``[B, 3, size, size]`` and labels ``[B, 37]``, float32: one batch at a time is in memory.

        Args:
            batch_size: B, at most.
            order: which images, in which order; None: all, as in the table.

        Raises:
            InputError: a batch size below 1, or what :meth:`read` refuses.
        """
        if batch_size < 1:
            raise InputError(f"galaxies: batch_size {batch_size}; expected at least 1.")
        chosen = list(range(len(self))) if order is None else [int(i) for i in order]
        for start in range(0, len(chosen), batch_size):
            part = chosen[start : start + batch_size]
            yield self.read(part), self.labels[part].float()

    def raw_size(self) -> tuple[int, int]:
        """Return height and width of the pictures, by the first one."""
        height, width = read_image_file(self.path(self.ids[0])).shape[-2:]
        return height, width

    def data(self, index: Sequence[int], name: str) -> Samples:
        """Return a part in memory: about 57 kB an image of 69 pixels, read batch by batch."""
        images = torch.empty(0)
        done = 0
        for x, _ in self.stream(_CHUNK, index):
            if not done:
                images = x.new_empty(len(index), *x.shape[1:])
            images[done : done + len(x)] = x
            done += len(x)
        labels = self.labels[list(index)].float()
        return Samples(images, labels, galaxy_target(self.tree), f"{self.root} ({name})")


def _header(table: Path) -> list[str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            return [name.strip() for name in file.readline().strip().split(",")]
    except UnicodeDecodeError as e:
        raise InputError(f"galaxies: '{table}' is no text ({e.reason}); expected a CSV file. {_HOW}.") from None


def galaxy_zoo(
    root: str | Path | None = None,
    size: int = 69,
    bins: int = 3,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    split_seed: int = 0,
    published: bool = True,
    tolerance: float = 1e-4,
    violations: str = "refuse",
    sha256: str | None = None,
    limit: int | None = None,
) -> Splits:
    """Read the training files of the Galaxy Zoo challenge in three parts, for `steerable fit`.

    The labels of the official test part were never published with the images, so the test part is one of these. The
    split is that of a hash of the ids.

    Args:
        root: the folder.
        size, bins: the central ``size * bins`` pixels, averaged `bins` by `bins`.
        fractions: shares of training, validation and test.
        split_seed: which split.
        published, tolerance, violations, sha256, limit: of :class:`GalaxyZooFiles`.

    Raises:
        InputError: what :class:`GalaxyZooFiles` refuses.
    """
    files = GalaxyZooFiles(root, published, tolerance, violations, sha256, size, bins, limit)
    index = stratified_split(torch.zeros(len(files), dtype=torch.int64), fractions, split_seed, files.ids)
    parts = [files.data(i.tolist(), name) for i, name in zip(index, ("train", "validation", "test"), strict=True)]
    return Splits(*parts, recipe=files.recipe, raw_size=files.raw_size())
