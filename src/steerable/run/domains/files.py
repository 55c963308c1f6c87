"""Samples one after another, out of files, each usable or with the reason why it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.data import Clouds
from steerable.data.errors import InputError
from steerable.run.inputs import Source
from steerable.run.rows import Row


def rows_of(
    sources: Iterable[Source], read: Callable[[Path], Sequence[Any]], make: Callable[[Any, str], Row]
) -> Iterator[Row]:
    """Yield a row for each sample; a file of many gives ``file#0``, ``file#1``, ...; what cannot be used says why."""
    for source in sources:
        try:
            found = read(source.path)
        except InputError as e:
            yield Row(source.id, None, str(e))
            continue
        for k, sample in enumerate(found):
            name = source.id if len(found) == 1 else f"{source.id}#{k}"
            try:
                yield make(sample, name)
            except InputError as e:
                yield Row(name, None, str(e))


def check_name(
    extensions: Iterable[str], mend: Callable[[Path, str], str] = lambda path, otherwise: otherwise
) -> Callable[[Path], None]:
    """Return what raises InputError for a file that is not there, or has another ending.

    Args:
        extensions: that are read.
        mend: from the path, and what is usually said, to what to do with a file of another ending.
    """
    known = tuple(extensions)

    def check(path: Path) -> None:
        if not path.is_file() or not path.name.lower().endswith(known):
            what = "does not exist" if not path.is_file() else f"ends in '{path.suffix}'"
            how = mend(path, "Mend the path.") if path.is_file() else "Mend the path."
            raise InputError(f"'{path}' {what}; expected a file of {', '.join(known)}. {how}")

    return check


def together(samples: list[Tensor | Clouds]) -> Tensor | Clouds:
    """Return samples as one batch."""
    if isinstance(samples[0], Tensor):
        return torch.stack([s for s in samples if isinstance(s, Tensor)])
    return Clouds.of([(s.features, s.positions) for s in samples if isinstance(s, Clouds)])
