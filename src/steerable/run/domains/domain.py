"""What training, scoring and prediction ask of a domain: one entry for each, and nothing else knows them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from steerable.data import Clouds, Samples
from steerable.groups.group import Group
from steerable.run.config import Augment
from steerable.run.inputs import Source
from steerable.run.rows import Row, Want

Batch = Tensor | Clouds


class FileKind(NamedTuple):
    """Files of one domain.

    Attributes:
        extensions: of their names.
        listing: those of a folder, and the others.
        count: how many samples a file holds; 1 where that cannot be told quickly.
        check: raises InputError where a name cannot be read.
        rows: the samples of files in order; from the files, what is wanted, and the record of the run.
    """

    extensions: tuple[str, ...]
    listing: Callable[[Path], tuple[list[Path], list[Path]]]
    count: Callable[[Path], int]
    check: Callable[[Path], Any]
    rows: Callable[[Iterable[Source], Want, Mapping[str, Any], int], Iterator[Row]]


class Turn(NamedTuple):
    """A rotation by which a network is tried.

    Attributes:
        words: what it is called at the head of a table.
        turned: samples to their input turned by it.
        back: answers at every place ``[N, K, *places]`` to the turned input, brought back: what an equivariant network
            answers to the input itself. From the answers and the samples.
    """

    words: str
    turned: Callable[[Samples], Any]
    back: Callable[[Tensor, Samples], Tensor]


class Domain(NamedTuple):
    """A domain.

    Attributes:
        name: of the data: ``plane``, ``volume``, ``points`` or ``sphere``.
        noun: what samples are called in a sentence, in the plural.
        takes: what networks on it are said to take: ``images``, ``volumes``, ``points`` or ``sphere``.
        networks: names of one with one answer for a sample, and of one with an answer at every place, for a message.
        augmentations: their names.
        augment: a batch and its answers, the name, a generator on the CPU, and the samples that they are of, to the
            batch and the answers moved by one drawn element each.
        turn: the rotation by which a network is tried, from its group (of a plain twin, that of the network which it
            stands beside; None: none is known) and the samples.
        shown: the augmentation that shows a plain network the symmetry of a group.
        files: those that a network can be given.
        statistics: which numbers the linear floor sees of a sample, see :mod:`steerable.tasks.statistics`.
        place_statistics: which it sees of a place.
        areas: of the places of samples, mean 1, ``[*places]``; None: they count alike.
        shape: what the samples are, for a message.
    """

    name: str
    noun: str
    takes: str
    networks: tuple[str, str]
    augmentations: tuple[str, ...]
    augment: Callable[[Any, Tensor, str, torch.Generator, Samples], tuple[Any, Tensor]]
    turn: Callable[[Group | None, Samples], Turn]
    shown: Callable[[Group | None], Augment]
    files: FileKind
    statistics: str
    place_statistics: str
    areas: Callable[[Samples], Tensor | None]
    shape: Callable[[Samples], str]
