"""The published files: small ones with real JPEGs are read in batches; what is wrong with them is said in one line."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest
import torch

from steerable.data import InputError
from steerable.tasks.galaxies import GalaxyZooFiles, GalaxyZooTree, galaxy_zoo, simulate_galaxies

Image = pytest.importorskip("PIL.Image")
N = 24


def write_table(path, ids, labels, header=None):
    """A table as that of the challenge."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header or ["GalaxyID", *GalaxyZooTree.columns])
        for i, row in zip(ids, labels.tolist(), strict=True):
            writer.writerow([i, *(f"{v:.6f}" for v in row)])


@pytest.fixture
def folder(tmp_path):
    """JPEGs of 424 x 424 pixels and their table."""
    made = simulate_galaxies(N, pixels=69)
    ids = [100008 + 15 * i for i in range(N)]
    images = tmp_path / "images_training_rev1"
    images.mkdir()
    for i, x in zip(ids, made.images, strict=True):
        large = torch.nn.functional.interpolate(x[None], size=(424, 424), mode="bilinear")[0]
        array = (255 * large).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(array).save(images / f"{i}.jpg", quality=90)
    write_table(tmp_path / "training_solutions_rev1.csv", ids, made.labels)
    return tmp_path


def table(folder):
    return folder / "training_solutions_rev1.csv"


def test_images_come_in_batches_and_labels_agree(folder):
    files = GalaxyZooFiles(folder)
    assert len(files) == N and files.ids[0] == "100008" and files.raw_size() == (424, 424)
    batches = list(files.stream(10))
    assert [len(x) for x, _ in batches] == [10, 10, 4]
    x, y = (torch.cat(part) for part in zip(*batches, strict=True))
    assert x.shape == (N, 3, 69, 69) and x.dtype == y.dtype == torch.float32 and x.min() >= 0 and x.max() <= 1
    assert (y.double() - simulate_galaxies(N).labels).abs().max() < 1e-6
    assert torch.equal(torch.cat([b for b, _ in files.stream(3, order=[5, 1])]), x[[5, 1]])
    # the centre of 207 pixels, averaged 3 by 3
    raw = np.asarray(Image.open(folder / "images_training_rev1" / "100008.jpg"), dtype=np.float32) / 255
    middle = raw[109:316, 109:316] if False else raw[108:315, 108:315]
    expected = middle.reshape(69, 3, 69, 3, 3).mean((1, 3))
    assert (x[0] - torch.from_numpy(expected).permute(2, 0, 1)).abs().max() < 1e-5


def test_three_parts_share_no_galaxy_and_keep_the_recipe(folder):
    parts = galaxy_zoo(folder, fractions=(0.5, 0.25, 0.25))
    assert len(parts.train) + len(parts.val) + len(parts.test) == N
    assert parts.raw_size == (424, 424) and parts.train.size == (69, 69)
    one = torch.zeros(1, 3, 424, 424)
    assert parts.recipe(one).shape == (1, 3, 69, 69)
    again = galaxy_zoo(folder, fractions=(0.5, 0.25, 0.25))
    assert torch.equal(again.test.x, parts.test.x)
    assert galaxy_zoo(folder, size=53, bins=2, limit=12, fractions=(0.5, 0.25, 0.25)).train.size == (53, 53)


def test_the_checksum_is_compared_when_it_is_known(folder):
    right = hashlib.sha256(table(folder).read_bytes()).hexdigest()
    assert len(GalaxyZooFiles(folder, sha256=right.upper())) == N
    with pytest.raises(InputError, match=f"has sha256 {right}; expected 00"):
        GalaxyZooFiles(folder, sha256="00" * 32)


def refused(folder, *words, **options):
    """The error of one line that names all words."""
    with pytest.raises(InputError) as e:
        GalaxyZooFiles(folder, **options)
    text = str(e.value)
    assert "\n" not in text and all(w in text for w in words), text


def test_missing_files_say_where_to_get_them(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    refused(empty, "training_solutions_rev1.csv", "kaggle.com/competitions/galaxy-zoo-the-galaxy-challenge")
    refused(None, "data.root", "kaggle.com")
    (empty / "training_solutions_rev1.csv").write_bytes(table(folder).read_bytes())
    refused(empty, "holds no images_training_rev1")
    (folder / "images_training_rev1" / "100023.jpg").unlink()
    refused(folder, "1 of 24 images are missing", "100023.jpg")


def test_tables_that_are_not_that_of_the_challenge(folder):
    made = simulate_galaxies(2, pixels=8).labels
    names = ["GalaxyID", *GalaxyZooTree.columns]
    write_table(table(folder), [1, 2], made, [*names[:3], "Class9.9", *names[4:]])
    refused(folder, "column 4", "Class9.9", "expected 'Class1.3'")
    write_table(table(folder), [1, 1], made)
    refused(folder, "GalaxyID 1 occurs twice")
    write_table(table(folder), ["a", "b"], made)
    refused(folder, "GalaxyID 'a'", "whole numbers")
    table(folder).write_bytes(b"\xff\xfe\x00")
    refused(folder, "is no text")
    table(folder).write_text(",".join(names) + "\n")
    refused(folder, "training_solutions_rev1.csv")
    table(folder).write_text(",".join(names) + "\n1" + ",x" * 37 + "\n")
    refused(folder, "holds text among the 37 answers")


def test_labels_that_violate_the_tree_are_refused_or_dropped(folder):
    made = simulate_galaxies(N, pixels=8).labels
    made[4, 0] -= 0.05
    ids = [100008 + 15 * i for i in range(N)]
    write_table(table(folder), ids, made)
    refused(folder, f"image {ids[4]}", "question 1 (smooth)", "1 of 24 images")
    files = GalaxyZooFiles(folder, violations="drop")
    assert len(files) == N - 1 and str(ids[4]) not in files.ids
    refused(folder, "violations is 'keep'", violations="keep")
    refused(folder, "question 6 (odd)", "published=True", published=False, violations="refuse", tolerance=0.06)


def test_a_broken_picture_is_named(folder):
    path = folder / "images_training_rev1" / "100008.jpg"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=r"100008\.jpg"):
        GalaxyZooFiles(folder).read([0])
    Image.fromarray(np.zeros((424, 424), np.uint8)).save(path)
    with pytest.raises(InputError, match="has 1 channels; expected 3"):
        GalaxyZooFiles(folder).read([0])
