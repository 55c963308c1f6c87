"""Images and masks in folders: pairs, values, sizes, parts; what is wrong is told in one line."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from steerable.data import InputError, mask_folder

Image = pytest.importorskip("PIL.Image")


def write(folder, count=12, side=9, seed=0, palette=False):
    """Discs on a grey ground, and masks of 0 and 255."""
    generator = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    r = np.arange(side) - side // 2
    for k in range(count):
        inside = (r[:, None] - generator.integers(-2, 3)) ** 2 + (r[None] - generator.integers(-2, 3)) ** 2 < 5
        picture = np.clip(60 + 120 * inside + generator.normal(0, 8, (side, side)), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / "images" / f"{k:02}.png")
        mask = Image.fromarray((255 * inside).astype(np.uint8))
        if palette:
            mask = Image.fromarray(inside.astype(np.uint8)).convert("P")
        mask.save(folder / "masks" / f"{k:02}.png")
    return folder


def test_images_and_masks_of_one_name(tmp_path):
    data = mask_folder(write(tmp_path), classes=("ground", "disc"))
    assert data.classes == ("ground", "disc") and data.train.regions
    assert data.train.x.shape[1:] == (1, 9, 9) and data.train.y.shape[1:] == (9, 9)
    assert sum(len(p) for p in (data.train, data.val, data.test)) == 12
    assert data.train.y.unique().tolist() == [0, 1]
    bright = data.train.x[:, 0] > 0.45
    assert torch.equal(bright, data.train.y == 1)  # the right mask for each image
    assert data.reading == {"depth": "full"}


def test_parts_palettes_and_pixels_without_a_class(tmp_path):
    for seed, part in enumerate(("train", "val", "test")):
        write(tmp_path / part, 4, seed=seed, palette=True)
    mask = np.array(Image.open(tmp_path / "train/masks/00.png"))
    mask[0] = 7
    Image.fromarray(mask).save(tmp_path / "train/masks/00.png")
    data = mask_folder(tmp_path, ignore=7)
    assert data.classes == ("0", "1") and len(data.val) == 4
    assert (data.train.y[0, 0] == -1).all() and (data.train.y[1:] >= 0).all()
    with pytest.raises(InputError, match=r"also hold \[7\]"):
        mask_folder(tmp_path, values=[0, 1])


def test_masks_that_number_things(tmp_path):
    folder = write(tmp_path)
    for k, path in enumerate(sorted((folder / "masks").iterdir())):
        mask = np.asarray(Image.open(path)) > 0
        Image.fromarray((mask * (k + 3)).astype(np.uint8)).save(path)
    data = mask_folder(folder, instances=True, classes=["ground", "cell"])
    assert data.classes == ("ground", "cell")
    assert torch.equal(data.train.x[:, 0] > 0.45, data.train.y == 1)
    mask = np.array(Image.open(folder / "masks/00.png"))
    mask[0] = 255
    Image.fromarray(mask).save(folder / "masks/00.png")
    parts = mask_folder(folder, instances=True, ignore=255)
    assert sum(int((p.y == -1).sum()) for p in (parts.train, parts.val, parts.test)) == 9


@pytest.mark.parametrize("how", ["crop", "scale"])
def test_a_mask_of_another_size_is_told_before_it_is_resized(tmp_path, how):
    folder = write(tmp_path)
    path = folder / "masks/03.png"
    Image.open(path).resize((4, 5)).save(path)
    with pytest.raises(InputError, match=r"03.png' has 5 x 4 pixels; expected 9 x 9"):
        mask_folder(folder, resize=how, side=8)


@pytest.mark.parametrize(("how", "side"), [("crop", 11), ("crop", 7), ("scale", 18)])
def test_masks_are_resized_as_their_images_are(tmp_path, how, side):
    data = mask_folder(write(tmp_path), resize=how, side=side).train
    assert data.x.shape[-2:] == data.y.shape[-2:] == (side, side)
    if how == "crop" and side == 11:
        assert (data.y[:, 0] == -1).all() and (data.y[:, 1:-1, 1:-1] >= 0).all()
    known = data.y >= 0
    right = ((data.x[:, 0] > 0.45) == (data.y == 1))[known]
    assert right.double().mean() > (0.9 if how == "scale" else 0.999)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "masks/03.png").unlink(), "images/03.png' has no mask (1 of "),
        (lambda f: (f / "images/03.png").unlink(), "masks/03.png' has no image (1 of "),
        (lambda f: (f / "masks/03.png").rename(f / "masks/03.jpg"), "expected a mask: .png, .tif, .npy"),
        (lambda f: [p.unlink() for p in (f / "images").iterdir()], "images' has no image (0 other files); expected"),
        (lambda f: Image.new("RGB", (9, 9)).save(f / "masks/03.png"), "expected whole numbers"),
        (lambda f: Image.new("L", (8, 9)).save(f / "masks/03.png"), "expected 9 x 9"),
        (lambda f: (f / "masks/03.png").write_bytes(b"x"), "cannot be read"),
        (lambda f: (f / "train").mkdir(), "expected all of"),
        (lambda f: (f / "masks").rename(f / "mask"), "has no folder 'masks'"),
        (lambda f: Image.new("L", (9, 9)).save(f / "images/03.jpg"), "03.png' have one name"),
        (lambda f: np.save(f / "masks/03.npy", np.zeros((9, 9), int)), "03.png' have one name"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, change, words):
    change(write(tmp_path))
    with pytest.raises(InputError, match="(?s)" + re.escape(words)) as e:
        mask_folder(tmp_path)
    assert "\n" not in str(e.value)


def test_three_images_are_the_least(tmp_path):
    with pytest.raises(InputError, match=r"has 2 image\(s\), 2 of them different; expected at least 3"):
        mask_folder(write(tmp_path, 2))


def test_photographs_are_no_masks(tmp_path):
    write(tmp_path)
    for p in (tmp_path / "masks").iterdir():
        noise = np.random.default_rng(int(p.stem)).integers(0, 256, (9, 9)).astype(np.uint8)
        Image.fromarray(noise).save(p)
    with pytest.raises(InputError, match="at most 64 classes"):
        mask_folder(tmp_path)
    with pytest.raises(InputError, match="expected a folder"):
        mask_folder(None)


def test_any_number_may_stand_for_a_class_but_not_for_none_as_well(tmp_path):
    write(tmp_path)
    for p in sorted((tmp_path / "masks").iterdir()):
        np.save(p.with_suffix(".npy"), np.where(np.asarray(Image.open(p)) > 0, 3, -2))
        p.unlink()
    data = mask_folder(tmp_path, resize="crop", side=11).train
    assert data.classes == ("-2", "3") and data.y.unique().tolist() == [-1, 0, 1]
    with pytest.raises(InputError, match="expected a value that is no class"):
        mask_folder(tmp_path, values=[-2, 3], ignore=-2)
