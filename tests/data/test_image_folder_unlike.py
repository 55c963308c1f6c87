"""A folder of images of unlike sizes, depths and colours: an error naming two files, or the conversion asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.data import InputError, image_folder

Image = pytest.importorskip("PIL.Image")


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def folder(tmp_path):
    """Eight grey images of 8 bits in each of two classes."""
    rng = np.random.default_rng(0)
    for name in ("left", "right"):
        for k in range(8):
            save(tmp_path / name / f"{k}.png", rng.integers(0, 255, (12, 12), dtype=np.uint8))
    return tmp_path


SPLIT = (0.5, 0.25, 0.25)


def refused(*words, **options):
    with pytest.raises(InputError) as e:
        image_folder(fractions=SPLIT, **options)
    text = str(e.value)
    assert "\n" not in text
    for word in words:
        assert word in text, (word, text)


def test_unlike_sizes(folder):
    save(folder / "left" / "wide.png", np.zeros((20, 30), np.uint8))
    refused("wide.png", "20 x 30", "12 x 12", "resize and side", root=folder)
    for resize in ("scale", "crop"):
        s = image_folder(folder, fractions=SPLIT, resize=resize, side=9)
        assert s.train.size == s.raw_size == (9, 9)
        pad = {"pad": "border"} if resize == "crop" else {}
        assert s.reading == {"depth": "file", "resize": resize, **pad}
    s = image_folder(folder, fractions=SPLIT, resize="scale", side=[7, 11], size=9)
    assert (s.raw_size, s.train.size) == ((7, 11), (9, 9))
    refused("expected both or neither", root=folder, resize="scale")
    refused("expected both or neither", root=folder, side=9)
    refused("'stretch'", "crop, scale", root=folder, resize="stretch", side=9)
    refused("expected at least 1 pixel", root=folder, resize="crop", side=0)
    refused("one number, or height and width", root=folder, resize="crop", side=[1, 2, 3])


def test_unlike_colours(folder):
    save(
        folder / "left" / "red.png", np.dstack([np.full((12, 12), 200, np.uint8), *2 * [np.zeros((12, 12), np.uint8)]])
    )
    refused("red.png", "3 channels", "1 channel", "colour", root=folder)
    grey = image_folder(folder, fractions=SPLIT, colour="grey")
    whole = torch.cat([p.x for p in (grey.train, grey.val, grey.test)])
    assert whole.shape == (17, 1, 12, 12)
    assert any(torch.allclose(x, torch.tensor(0.299 * 200 / 255)) for x in whole)
    colour = image_folder(folder, fractions=SPLIT, colour="rgb")
    assert colour.train.channels == 3
    refused("grey, rgb", "Did you mean 'grey'?", root=folder, colour="gray")


def test_unlike_depths(folder):
    values = np.linspace(0, 65535, 144).astype(np.uint16).reshape(12, 12)
    save(folder / "left" / "deep.png", values)
    refused("deep.png", "16 bits", "8 bits", "depth", root=folder)
    s = image_folder(folder, fractions=SPLIT, depth="full")
    whole = torch.cat([p.x for p in (s.train, s.val, s.test)])
    assert float(whole.max()) <= 1
    assert any(torch.allclose(x[0], torch.from_numpy(values / 65535).float()) for x in whole)
    np.save(folder / "left" / "signed.npy", values.astype(np.int32))
    refused("int32", "expected 8 or 16 bits", root=folder, depth="full")
    refused("'half'", "file, full", root=folder, depth="half")


def test_a_class_of_one_image(folder):
    save(folder / "rare" / "only.png", np.zeros((12, 12), np.uint8))
    refused("'rare'", "1 image(s)", "at least 3", root=folder)
    for k in range(3):  # three copies are one picture
        save(folder / "rare" / f"copy{k}.png", np.zeros((12, 12), np.uint8))
    refused("'rare'", "4 image(s), 1 of them different", root=folder)


def test_an_empty_class(folder):
    (folder / "void").mkdir()
    refused("void", "holds no image", root=folder)


def test_folders_in_folders(folder):
    (folder / "left" / "night").mkdir()
    for k in range(4):
        (folder / "left" / f"{k}.png").rename(folder / "left" / "night" / f"{k}.png")
    s = image_folder(folder, fractions=SPLIT)
    assert s.classes == ("left", "right")
    assert sum(p.counts()[0] for p in (s.train, s.val, s.test)) == 8
    assert any("left/night/" in name for p in (s.train, s.val, s.test) for name in p.ids)


def test_a_split_by_folders_is_pointed_out(folder):
    for part in ("train", "test"):
        for name in ("left", "right"):
            (folder / part / name).mkdir(parents=True)
            (folder / name / f"{0 if part == 'train' else 1}.png").rename(folder / part / name / "0.png")
    import shutil

    for name in ("left", "right"):
        shutil.rmtree(folder / name)
    refused("the parts ['test', 'train']", "data.root", root=folder)


def test_an_unreadable_image(folder):
    (folder / "left" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    refused("3.png", "cannot be read as png", root=folder)
    (folder / "left" / "3.png").write_bytes(b"")
    refused("3.png", "cannot be read as png", root=folder)


def test_names_stay_with_their_images(folder):
    s = image_folder(folder, fractions=SPLIT)
    for part in (s.train, s.val, s.test):
        for k, name in enumerate(part.ids):
            assert torch.equal(part.x[k, 0], torch.from_numpy(np.asarray(Image.open(folder / name)) / 255).float())


def test_the_recipe_of_a_saved_run(folder):
    steps = [{"step": "centre", "size": 9}, {"step": "divide", "by": 0.5}]
    s = image_folder(folder, fractions=SPLIT, recipe=steps)
    assert s.recipe.to_json() == steps
    assert s.train.size == (9, 9)
    refused("beside the recipe", root=folder, recipe=steps, size=9)
    refused("no step 'turn'", root=folder, recipe=[{"step": "turn"}])
