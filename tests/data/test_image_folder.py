"""A folder of image files: classes by sub-folder, answers by table."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.data import InputError, Target, image_folder


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".fits":
        fits = pytest.importorskip("astropy.io.fits")
        fits.PrimaryHDU(array).writeto(path)
    elif path.suffix == ".png":
        image = pytest.importorskip("PIL.Image")
        image.fromarray((255 * array).astype(np.uint8)).save(path)
    else:
        np.save(path, array)


@pytest.fixture
def folder(tmp_path):
    """20 images of each of two classes, of three kinds; the mean of each is its number over 40."""
    rng = np.random.default_rng(0)
    root = tmp_path / "images"
    for i in range(40):
        x = np.clip(rng.random((6, 6)) * 0.1 + i / 40, 0, 1).astype(np.float32)
        kind = (".fits", ".npy", ".png")[i % 3]
        write(root / ("arc" if i % 2 else "none") / f"{i:02d}{kind}", x)
    return root


def refused(*words, **options):
    with pytest.raises(InputError) as e:
        image_folder(**options)
    text = str(e.value)
    assert "\n" not in text
    for word in words:
        assert word in text, (word, text)


def test_classes_by_folder(folder):
    s = image_folder(folder, fractions=(0.5, 0.25, 0.25))
    assert s.classes == ("arc", "none")
    assert [p.counts() for p in (s.train, s.val, s.test)] == [[10, 10], [5, 5], [5, 5]]
    again = image_folder(folder, fractions=(0.5, 0.25, 0.25))
    assert torch.equal(s.test.x, again.test.x)
    other = image_folder(folder, fractions=(0.5, 0.25, 0.25), split_seed=1)
    assert not torch.equal(s.test.x, other.test.x)
    small = image_folder(folder, size=2, bins=2, scale="peak")
    assert small.train.size == (2, 2)
    assert small.raw_size == (6, 6)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_values_by_table(folder, kind):
    pa = pytest.importorskip("pyarrow")
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    table = pa.table({"id": [str(p.relative_to(folder)) for p in files], "n": [int(p.stem) / 40 for p in files],
                      "kind": [f"{int(p.stem) % 3}" for p in files]})  # fmt: skip
    if kind == "csv":
        from pyarrow import csv

        csv.write_csv(table, folder / "t.csv")
    else:
        from pyarrow import parquet

        parquet.write_table(table, folder / "t.parquet")
    s = image_folder(folder, target="n", table=f"t.{kind}", unit="dex")
    assert s.target == Target("n", "dex")
    for part in (s.train, s.val, s.test):
        assert torch.allclose(part.x.mean((1, 2, 3)) - 0.05, part.y, atol=0.1)
    s = image_folder(folder, table=str(folder / f"t.{kind}"), label="kind", fractions=(0.4, 0.3, 0.3))
    assert s.classes == ("0", "1", "2")


def test_folders_that_are_refused(folder, tmp_path):
    refused("expected a folder", root=None)
    refused("is not a folder", root=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    refused("holds no image file (0 other files)", root=tmp_path / "empty")
    refused("without a table", root=folder, target="n")
    write(folder / "loose.npy", np.zeros((6, 6)))
    refused("loose.npy", "in no sub-folder", root=folder)
    (folder / "loose.npy").unlink()
    (folder / "arc" / "notes.txt").touch()
    refused("notes.txt", "1 of 41 files", root=folder)
    (folder / "arc" / "notes.txt").unlink()
    refused("only class ['arc']", "at least two", root=only(folder, tmp_path))


def test_a_folder_of_masks_is_no_class(folder):
    (folder / "arc").rename(folder / "images")
    (folder / "none").rename(folder / "aside")
    for path in (folder / "aside").iterdir():
        path.unlink()
    for k, path in enumerate((folder / "images").iterdir()):
        write(folder / "aside" / f"{path.stem}.npy", np.full((6, 6), k / 40))
    assert len(image_folder(folder).classes) == 2
    (folder / "aside").rename(folder / "Masks")
    refused("has the name of another image, as masks have", "say --config segmentation", root=folder)
    next((folder / "Masks").iterdir()).rename(folder / "Masks" / "other.npy")
    assert "Masks" in image_folder(folder).classes  # a class that is called so


def only(folder, tmp_path):
    import shutil

    shutil.copytree(folder / "arc", tmp_path / "one" / "arc")
    return tmp_path / "one"


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("zz.npy", np.zeros((6, 7)), ("zz.npy", "6 x 7", "6 x 6", "same")),
        ("zz.npy", np.zeros((1, 3, 6, 6)), ("zz.npy", "3 channels", "1 channel ")),
        ("zz.npy", np.full((6, 6), np.nan), ("zz.npy", "36 of 36 pixels")),
        ("zz.npy", np.zeros((4, 6, 6)), ("zz.npy", "4 images", "one image a file")),
    ],
)
def test_images_that_are_refused(folder, name, array, words):
    write(folder / "arc" / name, array)
    refused(*words, root=folder)


def test_a_foreign_file_is_named(folder):
    (folder / "none" / "zz.fits").write_text("not a FITS file\n" * 300)
    refused("zz.fits", "cannot be read as fits", root=folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,n\narc/01.npy,1\n", ("expected 'm' among them",)),
        ("id,m\nmissing.npy,1\n", ("missing.npy", "row 1", "does not exist")),
        ("id,m\narc/01.npy,1\narc/01.npy,2\n", ("01.npy", "again in row 2")),
        ("id,m\n", ("has no row",)),
        ("id,m\narc/01.npy,\n", ("no value in row 1",)),
        ("id,m\narc/01.npy,1,3\n", ("cannot be read",)),
        ("", ("cannot be read",)),
    ],
)
def test_tables_that_are_refused(folder, text, words):
    pytest.importorskip("pyarrow")
    (folder / "t.csv").write_text(text)
    refused("t.csv", *words, root=folder, table="t.csv", target="m")
    (folder / "t.parquet").write_bytes(b"no parquet")
    refused("t.parquet", "cannot be read", root=folder, table="t.parquet", target="m")
    refused("t.xls", "does not exist", root=folder, table="t.xls", target="m")
    (folder / "t.xls").touch()
    refused("'.xls'", ".csv or .parquet", root=folder, table="t.xls", target="m")


def test_a_target_of_words(folder):
    pytest.importorskip("pyarrow")
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    (folder / "t.csv").write_text("id,n\n" + "".join(f"{p.relative_to(folder)},high\n" for p in files))
    refused("expected numbers", root=folder, table="t.csv", target="n")
