"""ModelNet40 (Wu et al. 2015, 1406.5670): 12,311 meshes of 40 kinds of things, as points drawn on their surfaces."""

from __future__ import annotations

from pathlib import Path

import torch

from steerable.data.clouds import Clouds
from steerable.data.errors import InputError
from steerable.data.files import data_root
from steerable.data.parts import Splits
from steerable.data.point_file import PointReading
from steerable.data.point_folder import clouds
from steerable.data.point_formats import read_off
from steerable.data.rotations import check_poses, random_rotations
from steerable.data.samples import Samples
from steerable.data.splits import stratified_split

PAGE = "http://modelnet.cs.princeton.edu/ModelNet40.zip"
PUBLISHED = {"train": 9843, "test": 2468}


def modelnet40(
    root: str | Path | None = None,
    per_class: int | None = None,
    points: int = 1024,
    train_pose: str = "none",
    pose: str = "any",
    verify: bool = True,
    val_fraction: float = 0.1,
    split_seed: int = 0,
) -> Splits:
    """Read the unpacked archive: `ModelNet40/<class>/train/*.off` and `.../test/*.off`.

    Points are drawn evenly by area, the same ones on every machine, brought to mean 0 and root mean square distance 1.
    Things stand upright along the third axis in the files; the usual protocols turn them: z/z (``upright`` twice),
    z/SO(3) (``upright``, ``any``) and SO(3)/SO(3) (``any`` twice).

    Args:
        root: the folder, or the one above it; the environment variable ``STEERABLE_DATA`` otherwise.
        per_class: training meshes of each class; only these are read. None: all.
        points: on each surface.
        train_pose: how training (and validation) meshes are turned: ``none``, ``upright`` (about the third axis) or
            ``any``, one fixed turn for each.
        pose: how test meshes are turned.
        verify: the numbers of files must be the published ones, 9843 and 2468; no checksum is published. ``false``
            reads another set of the same layout.
        val_fraction: share of the training meshes that is kept for choices.
        split_seed: which share, and which turns.

    Raises:
        InputError: missing files, with the place where to get them; other numbers of them; an unknown pose.
    """
    check_poses(train_pose=train_pose, pose=pose)
    if points < 1 or not 0 < val_fraction < 1:
        raise InputError(
            f"modelnet40: points {points}, val_fraction {val_fraction}; expected at least 1, and between 0 and 1."
        )
    folder = data_root(root)
    folder = folder / "ModelNet40" if (folder / "ModelNet40").is_dir() else folder
    files = {p: sorted(folder.glob(f"*/{p}/*.off")) for p in PUBLISHED}
    counts = {p: len(f) for p, f in files.items()}
    if not all(counts.values()) or (verify and counts != PUBLISHED):
        raise InputError(
            f"modelnet40: '{folder}' holds {counts} meshes; expected {PUBLISHED} as <class>/train/*.off and "
            f"<class>/test/*.off. Fetch {PAGE} and unpack it, or set data.options.verify to false for another set."
        )
    classes = tuple(sorted({f.parent.parent.name for f in files["train"]}))
    strange = sorted({f.parent.parent.name for f in files["test"]} - set(classes))
    if strange:
        raise InputError(f"modelnet40: the test part has the classes {strange}; expected those of training.")
    reading = PointReading(normalise=True, points=points)
    label = {p: torch.tensor([classes.index(f.parent.parent.name) for f in files[p]]) for p in PUBLISHED}
    keys = [f.name for f in files["train"]]
    learn, held = stratified_split(label["train"], (1 - val_fraction, val_fraction), split_seed, keys)
    if per_class is not None:
        kept = [learn[label["train"][learn] == k] for k in range(len(classes))]
        short = [classes[k] for k, i in enumerate(kept) if len(i) < per_class]
        if short or per_class < 1:
            raise InputError(
                f"modelnet40: {per_class} meshes a class were asked for, but of {short} there are fewer; expected at "
                f"least 1 and at most {min(map(len, kept))}."
            )
        learn = torch.cat([i[:per_class] for i in kept]).sort().values
    parts = []
    for k, (part, index, how) in enumerate(
        (("train", learn, train_pose), ("train", held, train_pose), ("test", torch.arange(counts["test"]), pose))
    ):
        some = [files[part][i] for i in index.tolist()]
        names = [f.stem for f in some]
        x = clouds([read_off(f) for f in some], names, reading, f"{folder} ({part})")
        generator = torch.Generator().manual_seed(split_seed * 1009 + k)
        parts.append(Samples(posed(x, how, generator), label[part][index], classes, x.name, tuple(names)))
    return Splits(*parts, input="points", settings=reading.to_json())


def posed(x: Clouds, how: str, generator: torch.Generator) -> Clouds:
    """Turn each point set about the origin: ``none``, ``upright`` (about the third axis) or ``any``."""
    if how == "none":
        return x
    turn = random_rotations(len(x), x.dimension, generator, upright=how == "upright").to(x.positions)
    return x.at((turn[x.batch] @ x.positions[:, :, None])[:, :, 0])
