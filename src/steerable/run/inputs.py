"""Which image files a command was given, in order, each with an id for the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from steerable.data.errors import InputError
from steerable.data.image_file import EXTENSIONS
from steerable.data.image_folder import list_images


class Source(NamedTuple):
    """A file and what it is called in the catalogue."""

    id: str
    path: Path


def find_inputs(
    words: Sequence[str],
    lists: Sequence[str] = (),
    listing: Callable[[Path], tuple[list[Path], list[Path]]] = list_images,
    extensions: tuple[str, ...] = EXTENSIONS,
    noun: str = "images",
) -> tuple[list[Source], list[Path]]:
    """Return the image files of folders, files and lists.

    Args:
        words: folders, files, or ``@list.txt``: a text file with one path a line.
        lists: such text files.
        listing: the files of a folder that are meant, and the others.
        extensions: of those that are meant, for messages.
        noun: what they hold, for messages.

    Returns:
        The files in the order in which they were given (those of a folder sorted), and files of other kinds that lie in
        the folders. The id is the path below the given folder, the line of the list, or the name of the file; where two
        files would have one id, all ids are the paths.

    Raises:
        InputError: nothing was given, a folder or list without images, a file that was given twice.
    """
    found: list[Source] = []
    others: list[Path] = []
    for word in [*words, *(f"@{name}" for name in lists)]:
        path = Path(word)
        if word.startswith("@") and not path.exists():
            found += _lines(Path(word[1:]))
        elif path.is_dir():
            images, rest = listing(path)
            if not images:
                raise InputError(
                    f"'{path}' holds no file that this network reads ({len(rest)} other files); expected "
                    f"{', '.join(extensions)}. Mend the path."
                )
            found += [Source(p.relative_to(path).as_posix(), p) for p in images]
            others += rest
        else:
            found.append(Source(path.name, path))
    if not found:
        raise InputError(f"predict: {len(found)} {noun} were given; expected a folder, files, or @list.txt.")
    if len({s.id for s in found}) < len(found):
        found = [Source(s.path.as_posix(), s.path) for s in found]
    seen: set[str] = set()
    for source in found:
        if source.id in seen:
            raise InputError(f"'{source.id}' was given twice; expected each file once. Drop one of the two.")
        seen.add(source.id)
    return found, others


def _lines(path: Path) -> list[Source]:
    if not path.is_file():
        raise InputError(f"the list '{path}' does not exist; expected a text file with one path a line. Mend the path.")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as e:
        raise InputError(f"the list '{path}' is no text ({e.reason}); expected one path a line.") from None
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise InputError(f"the list '{path}' names no file ({len(lines)} lines); expected one path a line.")
    # a path counts from where the command runs, or else from where the list lies
    return [Source(n, Path(n) if Path(n).exists() else path.parent / n) for n in names]
