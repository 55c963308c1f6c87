"""The files of a published data set that a person has downloaded: found, verified, read, whole or from an archive."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from steerable.data.errors import InputError
from steerable.data.files import VARIABLE, data_root

BROKEN = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, tarfile.TarError, KeyError, RuntimeError)
DEPTH = ("", "*/", "*/*/")  # folders below the root that are searched
BLOCK = 1 << 22


@dataclass(frozen=True)
class Published:
    """What is known of a data set that others published.

    Attributes:
        name: what people call it.
        page: where it is described and downloaded.
        checksums: ``md5:...`` or ``sha256:...`` for each file whose checksum is known for certain.
        archives: names of archives that hold the other files.
    """

    name: str
    page: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    archives: tuple[str, ...] = ()


class Source:
    """The folder of one published data set.

    Args:
        root: the folder, or its parent; None: the environment variable ``STEERABLE_DATA``.
        published: what is known of it.
        verify: compare checksums; otherwise only shapes and headers are checked.
    """

    def __init__(self, root: str | Path | None, published: Published, verify: bool = True) -> None:
        self.published, self.verify = published, verify
        try:
            self.root = data_root(root)
        except InputError as e:
            raise InputError(f"{e} {published.name} is downloaded from {published.page}") from None
        self.files: dict[str, str] = {}

    def __str__(self) -> str:
        return f"{self.published.name} in '{self.root}'"

    def has(self, *names: str) -> bool:
        """Return whether one of the files is there, plain or packed (.gz)."""
        return any(self._hits(n) or self._hits(f"{n}.gz") for n in names)

    def path(self, name: str, required: bool = True) -> Path | None:
        """Return the verified path of a file, plain or with ``.gz`` behind its name.

        Args:
            name: the file.
            required: otherwise None is returned where it is missing.

        Raises:
            InputError: it is missing, found twice, or has another checksum than the published one.
        """
        hits = self._hits(name) or self._hits(f"{name}.gz")
        if not hits:
            if required:
                raise self.missing([name])
            return None
        if len(hits) > 1:
            raise InputError(
                f"{self}: '{name}' lies in {[str(h.parent) for h in hits[:3]]}; expected it once. Set data.root to the "
                "folder that is meant."
            )
        self._check(hits[0])
        return hits[0]

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the unpacked contents of files, wherever they lie: plain, as ``.gz``, or in one of the archives.

        Raises:
            InputError: a file is missing, broken, or not the published one.
        """
        found = {n: p for n in names if (p := self.path(n, required=False)) is not None}
        if len(found) == len(names):
            return {n: self._content(p) for n, p in found.items()}
        archive = next((p for a in self.published.archives if (p := self.path(a, required=False)) is not None), None)
        if archive is None:
            raise self.missing([n for n in names if n not in found])
        try:
            return self._unpack(archive, names)
        except BROKEN as e:
            raise InputError(
                f"'{archive}' cannot be unpacked ({_reason(e)}); expected a whole archive. Download it again from "
                f"{self.published.page}"
            ) from None

    def missing(self, names: Sequence[str]) -> InputError:
        """Return the error that says which files are missing and where to get them."""
        also = f", or {' or '.join(self.published.archives)}" if self.published.archives else ""
        return InputError(
            f"{self}: {', '.join(names)} not found; expected {'it' if len(names) == 1 else 'them'} (plain or .gz)"
            f"{also} there or two folders below. Download from {self.published.page} and set data.root (or {VARIABLE})."
        )

    def wrong(self, what: str) -> InputError:
        """Return the error for content that is not that of the published set: `what` names what was found."""
        return InputError(f"{self}: {what}. Download the file again from {self.published.page}")

    def count(self, what: str, found: int, published: int) -> None:
        """Compare a number of images with the published one, where the files are verified.

        Raises:
            InputError: they differ.
        """
        if found == 0 or (self.verify and found != published):
            raise self.wrong(
                f"{what} has {found} images; expected {published if self.verify else 'at least one'}"
                + (" (data.options.verify false takes other numbers)" if found else "")
            )

    def _hits(self, name: str) -> list[Path]:
        for folder in DEPTH:
            hits = sorted(p for p in self.root.glob(folder + name) if p.is_file())
            if hits:
                return hits
        return []

    def _check(self, path: Path) -> None:
        name = path.relative_to(self.root).as_posix()  # a record may be published: without the folders of this machine
        if name in self.files:
            return
        digests = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
        try:
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    for digest in digests.values():
                        digest.update(block)
        except OSError as e:
            raise InputError(f"'{path}' cannot be read ({_reason(e)}); expected a readable file. Mend it.") from None
        kind, _, expected = self.published.checksums.get(path.name, "").partition(":")
        if self.verify and expected and digests[kind].hexdigest() != expected.lower():
            same = [n for n, c in self.published.checksums.items() if c.endswith(f":{digests[kind].hexdigest()}")]
            hint = f" It is {same[0]} under another name: rename it." if same else ""
            raise InputError(
                f"'{path}' has {kind} {digests[kind].hexdigest()}; expected {expected}, the published "
                f"{self.published.name}.{hint} Download it again from {self.published.page} or, for a set of your own, "
                "set data.options.verify to false."
            )
        self.files[name] = digests["sha256"].hexdigest()

    def _content(self, path: Path) -> bytes:
        try:
            if path.suffix == ".gz":
                with gzip.open(path, "rb") as file:
                    return file.read()
            return path.read_bytes()
        except BROKEN as e:
            raise InputError(
                f"'{path}' cannot be read ({_reason(e)}); expected a whole file. Download it again from "
                f"{self.published.page}"
            ) from None

    def _unpack(self, archive: Path, names: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}

        def take(name: str, file: IO[bytes]) -> None:
            base = name.rsplit("/", 1)[-1]
            if base in names:
                found[base] = file.read()

        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as packed:
                for name in packed.namelist():
                    with packed.open(name) as file:
                        take(name, file)
        else:
            with tarfile.open(archive) as packed:
                for member in packed:
                    # the names are compared, never used as paths
                    if member.isfile() and member.name.rsplit("/", 1)[-1] in names:
                        file = packed.extractfile(member)
                        if file is not None:
                            take(member.name, file)
                    if len(found) == len(names):
                        break
        absent = [n for n in names if n not in found]
        if absent:
            raise ValueError(f"it lacks {', '.join(absent)}")
        return found


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0] or type(error).__name__
