"""fit, evaluate, predict, check and export of a segmentation of images from a folder of pictures and masks."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from tests.data.test_mask_folder import write

from steerable.data.image_file import EXTENSIONS, read_image_file
from steerable.data.image_folder import list_images
from steerable.data.mask_folder import read_mask
from steerable.domains.sphere import parse_sphere
from steerable.run.answer import Folder
from steerable.run.cli import main
from steerable.run.domains import domain_of
from steerable.run.inputs import find_inputs
from steerable.run.page.class_colours import class_colours
from steerable.run.page.grid_pictures import busiest, grid_pictures, slices
from steerable.run.page.map_pictures import Panel, map_pictures
from steerable.run.readers import load_data
from steerable.run.rows import Want
from steerable.run.store import data_config

Image = pytest.importorskip("PIL.Image")
parquet = pytest.importorskip("pyarrow.parquet")

SMALL = ["--model.options", '{"widths": [1, 1], "kernel_size": 3}', "--train.device=cpu"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmentation")
    write(folder / "discs", 40)
    words = ["fit", "--config=segmentation", f"--data.root={folder / 'discs'}", *SMALL, "--train.epochs=12"]
    words += [
        "--train.lr=0.03",
        "--train.batch_size=8",
        "--train.augment=d4",
        "--data.options.classes",
        '["ground", "disc"]',
    ]
    assert main([*words, f"--out={folder / 'run'}", "--page=true"]) == 0
    return folder


def test_the_page_shows_images_truth_answer_and_what_is_wrong(place):
    page = (place / "run/report.html").read_text()
    assert page.count("data:image/png") == 4 and "://" not in page  # three images, and how it learned
    assert "Classes: ground, disc. Mean IoU of this sample" in page and "row 0 at the top" in page


def test_volumes_are_cut_where_there_is_something():
    labels = torch.zeros(9, 7, 5)
    labels[6, 2:4, 1:4], labels[0, 0, 0] = 1, torch.nan
    assert busiest(labels) == (6, 2, 1)
    parts = slices(labels, busiest(labels))
    assert [tuple(v.shape) for _, v in parts] == [(7, 5), (9, 5), (9, 7)]
    assert parts[1][1][9 - 1 - 6, 1] == 1  # x3 upwards
    seen = Panel("seen", torch.randn(9, 7, 5))
    assert grid_pictures([[seen], [Panel("truth", labels, names=("a", "b"))]])[:4] == b"\x89PNG"
    assert busiest(torch.full((4, 6), torch.nan)) == (2, 3)


def colours_of(png):
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    found, counts = np.unique(pixels, axis=0, return_counts=True)
    return {tuple(c) for c, n in zip(found.tolist(), counts.tolist(), strict=True) if n > 100}


@pytest.mark.parametrize("count", [3, 20, 30, 64])
def test_every_class_has_a_colour_of_its_own(count):
    colours = {tuple(round(255 * v) for v in c) for c in class_colours(count)}
    apart = torch.pdist(torch.tensor(class_colours(count)))
    assert len(colours) == count and float(apart.min()) > 0.04
    labels = torch.arange(count)[:, None].expand(count, 5).repeat_interleave(64 // count, 0)
    names = tuple(f"kind {k}" for k in range(count))
    png = grid_pictures([[Panel("truth", labels.double(), names=names)]])
    assert colours <= colours_of(png)  # those that are drawn
    shown = torch.where(labels == 1, 0, labels).double()
    alone = colours_of(grid_pictures([[Panel("truth", shown, names=names)]]))
    assert colours <= alone  # and those that are named, where they do not occur
    first = min(count, 20)
    assert class_colours(99)[:first] == class_colours(count)[:first]  # those of every page


def test_maps_of_many_classes_are_drawn():
    sphere = parse_sphere("healpix(4)")
    labels = torch.arange(sphere.num_points) % 30
    names = tuple(f"kind {k}" for k in range(30))
    colours = {tuple(round(255 * v) for v in c) for c in class_colours(30)}
    assert colours <= colours_of(map_pictures([[Panel("truth", labels.double(), names=names)]], sphere))


def test_discs_are_found_whichever_way_they_are_turned(place, capsys):
    assert main(["evaluate", str(place / "run")]) == 0
    scores = json.loads((place / "run/evaluation.json").read_text())
    assert scores["iou"] > 0.8 > scores["floors"]["constant"]["iou"]
    assert scores["iou_turned"] == pytest.approx(scores["iou"], abs=1e-6)
    assert scores["changed"] == 0
    assert "mean IoU" in capsys.readouterr().out
    assert main(["check", str(place / "run"), "--size=9", f"--out={place / 'check.png'}"]) == 0


def test_masks_of_new_images(place, tmp_path):
    new = write(tmp_path / "new", 3, seed=9)
    out = ["predict", str(place / "run"), str(new / "images"), f"--out={tmp_path / 'c.parquet'}"]
    assert main([*out, f"--answers={tmp_path / 'masks'}"]) == 0
    rows = parquet.read_table(tmp_path / "c.parquet").to_pylist()
    found = [np.load(tmp_path / "masks" / f"{r['id']}.npy") for r in rows]
    for row, mask in zip(rows, found, strict=True):
        assert mask.shape == (9, 9) and mask.dtype == np.uint8
        assert row["share_disc"] == pytest.approx((mask == 1).mean())


@pytest.mark.parametrize("form", ["tif", "png"])
def test_masks_as_pictures(place, tmp_path, capsys, form):
    pytest.importorskip("tifffile")
    new = write(tmp_path / "new", 3, side=13, seed=9)
    words = ["predict", str(place / "run"), str(new / "images"), f"--out={tmp_path / 'c.parquet'}", "--resize=crop"]
    for folder, how in (("a", "npy"), ("b", form)):
        said = ["--overwrite"] * (folder == "b") + [f"--answers={tmp_path / folder}", f"--answer-format={how}"]
        assert main([*words, *said]) == 0
    for path in (tmp_path / "a").iterdir():
        expected, name = np.load(path), path.stem if form == "png" else f"{path.stem}.{form}"
        found = read_mask(tmp_path / "b" / name).numpy()
        assert np.array_equal(found, np.where(expected < 0, 255, expected) if form == "png" else expected)
    assert main([*words, "--overwrite", f"--answers={tmp_path / 'c'}", "--answer-format=fits"]) == 2
    assert "expected maps on HEALPix" in capsys.readouterr().err


def test_runs_that_were_padded_with_zeros_still_are(place, tmp_path):
    """The record says it: what is padded has the background, in runs of before there was a choice 0."""
    record = json.loads((place / "run/run.json").read_text())
    assert record["reading"] == {"depth": "full", "pad": "border"}
    old = {**record, "reading": {"depth": "full"}}
    write(tmp_path / "new", 3, side=5, seed=9)
    sources, _ = find_inputs([str(tmp_path / "new/images")], (), list_images, EXTENSIONS)
    for one, low, high in ((record, 0.1, 0.9), (old, 0.0, 0.0)):
        images = [row.image for row in domain_of(one).files.rows(sources, Want.of(one, "crop", "run"), one, 4)]
        assert len(images) == 3 and all(low <= float(x[0, 0, 0]) <= high and x.shape == (1, 9, 9) for x in images)
    config = {**record["config"], "data": {**record["config"]["data"], "options": {"resize": "crop", "side": 13}}}
    for one, pad in ((record, "border"), (old, "zero")):
        data = load_data(data_config({**one, "config": config}))
        assert data.reading["pad"] == pad and bool((data.train.x[:, :, 0] == 0).all()) == (pad == "zero")


@pytest.mark.parametrize(("how", "side"), [("crop", 13), ("crop", 8), ("scale", 18)])
def test_masks_have_the_size_of_their_images(place, tmp_path, capsys, how, side):
    """A corner is marked in the image and in what the network finds: the answer lies where the image does."""
    new = write(tmp_path / "new", 3, side=side, seed=9)
    words = ["predict", str(place / "run"), str(new / "images"), f"--out={tmp_path / 'c.parquet'}", f"--resize={how}"]
    assert main([*words, f"--answers={tmp_path / 'masks'}"]) == 0
    assert "answers have the sizes of the files" in capsys.readouterr().err
    rows = {r["id"]: r for r in parquet.read_table(tmp_path / "c.parquet").to_pylist()}
    for path in (tmp_path / "masks").iterdir():
        answered = np.load(path)[np.load(path) >= 0]
        assert rows[path.stem]["share_disc"] == pytest.approx((answered == 1).mean())
        mask, truth = np.load(path), np.asarray(Image.open(new / "masks" / path.stem)) == 255
        assert mask.shape == (side, side)
        low, edge = (side - 9) // 2, np.full((side, side), side > 9 and how == "crop")
        if edge.any():
            edge[low : low + 9, low : low + 9] = False
        assert (mask[edge] == -1).all() and (mask[~edge] >= 0).all()
        inside = mask[~edge] == 1
        both = (inside & truth[~edge]).sum() / max(1, (inside | truth[~edge]).sum())
        assert both > 0.5  # shifted by a pixel it is less for so small a disc


def test_images_of_any_size_as_they_are(place, tmp_path):
    """No padding, nothing cut: the answer of the network at this size, in batches of one size each."""
    new = write(tmp_path / "new", 3, side=13, seed=9)
    write(tmp_path / "other", 2, side=21, seed=4)
    for k in range(2):
        (tmp_path / f"other/images/0{k}.png").rename(new / f"images/0{k}b.png")
    words = ["predict", str(place / "run"), str(new / "images"), f"--out={tmp_path / 'c.parquet'}", "--resize=whole"]
    assert main([*words, f"--answers={tmp_path / 'masks'}"]) == 0
    rows = parquet.read_table(tmp_path / "c.parquet").to_pylist()
    assert [r["id"] for r in rows] == ["00.png", "00b.png", "01.png", "01b.png", "02.png"]
    run = Folder.load(place / "run")
    for row in rows:
        mask = np.load(tmp_path / "masks" / f"{row['id']}.npy")
        image = read_image_file(new / "images" / row["id"])
        assert mask.shape == ((21, 21) if "b" in row["id"] else (13, 13)) == tuple(image.shape[-2:])
        assert np.array_equal(mask, run.places(run.recipe(image))[0].numpy())
        assert row["share_disc"] == pytest.approx((mask == 1).mean())


def test_a_file_and_its_check(place, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path / "m.onnx"
    assert main(["export", str(place / "run"), f"--out={out}"]) == 0
    assert main(["evaluate", str(out), f"--root={place / 'discs'}"]) == 0
    words = ["predict", str(out), str(place / "discs/images"), f"--out={tmp_path / 'c.parquet'}", "--resize=whole"]
    assert main(words) == 2 and "is a file of fixed size" in capsys.readouterr().err
    assert main(["check", str(out), f"--out={tmp_path / 'check.png'}"]) == 0


def test_the_twin_and_another_network(place, tmp_path):
    base = ["fit", "--config=segmentation", f"--data.root={place / 'discs'}", "--train.epochs=1", "--train.device=cpu"]
    assert main([*base, "--twin=plain", f"--out={tmp_path / 'twin'}"]) == 0
    record = json.loads((tmp_path / "twin_plain/run.json").read_text()) if (tmp_path / "twin_plain").exists() else None
    record = record or json.loads((tmp_path / "twin/run.json").read_text())
    assert record["config"]["model"]["name"] == "unet_plain"


def test_a_network_of_classes_is_refused(place, capsys):
    words = ["fit", "--config=segmentation", f"--data.root={place / 'discs'}", "--model.name=steerable_cnn"]
    assert main([*words, f"--out={place / 'no'}"]) == 2
    error = capsys.readouterr().err
    assert "at every place" in error and "such as unet" in error
    assert not (place / "no").exists()
