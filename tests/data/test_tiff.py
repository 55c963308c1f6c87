"""TIFF files of real writers: ImageJ, OME, plain pages, packed ones; images, volumes, masks, and what is refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from steerable.data import InputError, mask_folder
from steerable.data.image_file import count_images, pixel_depth, read_image_file
from steerable.data.mask_folder import read_mask
from steerable.data.tiff import read_header, tiff_mask, write_tiff
from steerable.data.volume_file import read_label_volumes, read_with_voxel
from steerable.data.volume_folder import volume_folder

tifffile = pytest.importorskip("tifffile")
Image = pytest.importorskip("PIL.Image")


def numbers(*shape, dtype=np.uint8, seed=0):
    top = 1.0 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (np.random.default_rng(seed).random(shape) * top).astype(dtype)


def test_one_grey_page(tmp_path):
    x = numbers(20, 30, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", x)
    file = tmp_path / "a.tif"
    assert torch.equal(read_image_file(file)[0, 0], torch.from_numpy(x.astype(np.float32)))
    assert torch.allclose(read_image_file(file, full=True)[0, 0] * 65535, torch.from_numpy(x.astype(np.float32)))
    assert pixel_depth(file) == "16 bits" and count_images(file) == 1


@pytest.mark.parametrize(
    ("shape", "how", "count", "channels"),
    [
        ((20, 30, 3), {"photometric": "rgb"}, 1, "last"),
        ((3, 20, 30), {"photometric": "rgb", "planarconfig": "separate"}, 1, "first"),
        ((5, 20, 30), {}, 5, None),
        ((5, 2, 20, 30), {"imagej": True, "metadata": {"axes": "TCYX"}}, 5, "second"),
        ((2, 5, 20, 30), {"metadata": {"axes": "CZYX"}, "ome": True}, 5, "first"),
    ],
)
def test_axes_are_those_that_the_file_states(tmp_path, shape, how, count, channels):
    x = numbers(*shape)
    file = tmp_path / "a.tiff"
    tifffile.imwrite(file, x, **how)
    expected = {
        "last": lambda: np.moveaxis(x, -1, 0)[None],
        "first": lambda: x[None] if x.ndim == 3 else x.swapaxes(0, 1),
        "second": lambda: x,
        None: lambda: x[:, None],
    }[channels]()
    found = read_image_file(file)
    assert torch.allclose(found, torch.from_numpy(expected.astype(np.float32)) / 255)
    assert count_images(file) == count == len(found)


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits", None])
def test_packed_files(tmp_path, packing):
    x = numbers(20, 30, 3)
    Image.fromarray(x).save(tmp_path / "a.tif", compression=packing)
    assert torch.allclose(read_image_file(tmp_path / "a.tif")[0] * 255, torch.from_numpy(x).permute(2, 0, 1).float())


def test_palettes_alpha_and_white_zero(tmp_path):
    index = numbers(20, 30) % 4
    picture = Image.frombytes("P", (30, 20), index.tobytes())
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    picture.save(tmp_path / "p.tif")
    as_png = np.array(picture.convert("RGB"))
    assert torch.allclose(
        read_image_file(tmp_path / "p.tif")[0] * 255, torch.from_numpy(as_png).permute(2, 0, 1).float()
    )
    assert torch.equal(read_mask(tmp_path / "p.tif"), torch.from_numpy(index).long())  # of a mask the numbers

    x = numbers(20, 30, 4)
    x[..., 3] = 255
    tifffile.imwrite(tmp_path / "a.tif", x, photometric="rgb", extrasamples=["unassalpha"])
    assert read_image_file(tmp_path / "a.tif").shape == (1, 3, 20, 30)
    x[0, 0, 3] = 7
    tifffile.imwrite(tmp_path / "b.tif", x, photometric="rgb", extrasamples=["unassalpha"])
    with pytest.raises(InputError, match="partly transparent"):
        read_image_file(tmp_path / "b.tif")

    tifffile.imwrite(tmp_path / "w.tif", x[..., 0], photometric="miniswhite")
    assert torch.allclose(read_image_file(tmp_path / "w.tif")[0, 0] * 255, 255 - torch.from_numpy(x[..., 0]).float())


@pytest.mark.parametrize("kind", ["imagej", "ome", "pages"])
def test_volumes_and_their_voxels(tmp_path, kind):
    x = numbers(5, 20, 30)
    how = {
        "imagej": {"imagej": True, "metadata": {"axes": "ZYX", "spacing": 0.5, "unit": "um"}, "resolution": (2, 2)},
        "ome": {"ome": True, "metadata": {"axes": "ZYX", **{f"PhysicalSize{k}": 0.5 for k in "XYZ"}}},
        "pages": {},
    }[kind]
    tifffile.imwrite(tmp_path / "v.tif", x, **how)
    volume, voxel = read_with_voxel(tmp_path / "v.tif")
    assert torch.allclose(volume[0, 0] * 255, torch.from_numpy(x).float())
    assert voxel is None if kind == "pages" else voxel == pytest.approx((0.5, 0.5, 0.5))


def test_channels_and_labels_of_volumes(tmp_path):
    x, y = numbers(5, 2, 20, 30), numbers(5, 20, 30) % 3
    tifffile.imwrite(tmp_path / "v.tif", x, imagej=True, metadata={"axes": "ZCYX"})
    tifffile.imwrite(tmp_path / "y.tif", y)
    assert torch.allclose(read_with_voxel(tmp_path / "v.tif")[0][0] * 255, torch.from_numpy(x).transpose(0, 1).float())
    assert torch.equal(read_label_volumes(tmp_path / "y.tif")[0], torch.from_numpy(y).long())


def test_folders_of_images_with_masks_and_of_volumes(tmp_path):
    for k in range(6):
        mask = numbers(9, 9, seed=k) % 2
        for name, array in (("images", numbers(9, 9, seed=k)), ("masks", mask)):
            (tmp_path / "flat" / name).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / "flat" / name / f"{k}.tif", array)
        for name in ("a", "b"):
            (tmp_path / "deep" / name).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(
                tmp_path / "deep" / name / f"{k}.tif", numbers(9, 9, 9, seed=k + 10 * (name == "b")), imagej=True,
                metadata={"axes": "ZYX", "spacing": 3.0 if k == 5 else 1.0},
            )  # fmt: skip
    assert mask_folder(tmp_path / "flat").train.y.unique().tolist() == [0, 1]
    with pytest.raises(InputError, match=r"voxels of 1 x 1 x 3; expected cubes of 1"):
        volume_folder(tmp_path / "deep")
    assert volume_folder(tmp_path / "deep", voxels="any").train.x.shape[1:] == (1, 9, 9, 9)


@pytest.mark.parametrize(
    ("shape", "axes"), [((9, 8), "YX"), ((2, 9, 8), "CYX"), ((5, 9, 8), "ZYX"), ((2, 5, 9, 8), "CZYX")]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_what_is_written_is_read(tmp_path, shape, axes, dtype):
    x = numbers(*shape, dtype=dtype)
    write_tiff(tmp_path / "a.tif", x, axes)
    header = read_header(tmp_path / "a.tif")
    assert (header.axes, header.shape, header.dtype) == (axes, shape, dtype)
    assert np.array_equal(tiff_mask(tmp_path / "a.tif"), x)


def test_packed_files_are_as_unpacked_ones(tmp_path):
    """White as zero, planes of colours, an orientation: what other readers turn over on their own."""
    pytest.importorskip("imagecodecs")
    x = numbers(20, 32)
    for name, packing in (("a", None), ("b", "lzw"), ("c", "zlib")):
        tifffile.imwrite(tmp_path / f"{name}.tif", x, photometric="miniswhite", compression=packing)
        assert torch.allclose(read_image_file(tmp_path / f"{name}.tif")[0, 0] * 255, 255 - torch.from_numpy(x).float())
        assert torch.equal(read_mask(tmp_path / f"{name}.tif"), torch.from_numpy(x).long())
        colours = numbers(3, 20, 32)
        tifffile.imwrite(tmp_path / "p.tif", colours, photometric="rgb", planarconfig="separate", compression=packing)
        assert torch.allclose(read_image_file(tmp_path / "p.tif")[0] * 255, torch.from_numpy(colours).float())
        tifffile.imwrite(
            tmp_path / "s.tif", numbers(4, 20, 32, dtype=np.int16), photometric="minisblack", compression=packing
        )
        assert read_image_file(tmp_path / "s.tif").shape == (4, 1, 20, 32)
    stack = numbers(3, 20, 32)
    tifffile.imwrite(tmp_path / "v.tif", stack, photometric="miniswhite")
    assert torch.allclose(read_with_voxel(tmp_path / "v.tif")[0][0, 0] * 255, 255 - torch.from_numpy(stack).float())
    tifffile.imwrite(tmp_path / "n.tif", numbers(20, 32, dtype=np.int16) - 5, photometric="miniswhite")
    assert read_image_file(tmp_path / "n.tif").min() >= -(2**15)
    tifffile.imwrite(tmp_path / "f.tif", numbers(20, 32, dtype=np.float32), photometric="miniswhite")
    with pytest.raises(InputError, match="of which white is zero"):
        read_image_file(tmp_path / "f.tif")


def test_a_fourth_colour_is_not_alpha(tmp_path):
    x = numbers(20, 30, 4)
    tifffile.imwrite(tmp_path / "near.tif", x, photometric="rgb", extrasamples=["unspecified"])
    assert read_image_file(tmp_path / "near.tif").shape == (1, 4, 20, 30)
    x[..., 3] = 255
    tifffile.imwrite(
        tmp_path / "a.tif", x.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate",
        extrasamples=["unassalpha"],
    )  # fmt: skip
    assert read_image_file(tmp_path / "a.tif").shape == (1, 3, 20, 30)


@pytest.mark.parametrize(
    ("units", "sizes", "expected"),
    [
        (("nm", "nm", "nm"), (500, 500, 500), (0.5, 0.5, 0.5)),
        (("µm", "µm", "mm"), (0.5, 0.5, 0.5), (0.5, 0.5, 500)),
        (("pixel", "pixel", "pixel"), (1, 1, 1), (1, 1, 1)),
        (("µm", "µm", "µm"), (1, 1, float("nan")), None),
    ],
)
def test_units_of_voxels(tmp_path, units, sizes, expected):
    said = {
        f"PhysicalSize{k}{e}": v for e, vs in (("", sizes), ("Unit", units)) for k, v in zip("XYZ", vs, strict=True)
    }
    tifffile.imwrite(tmp_path / "v.ome.tif", numbers(5, 9, 9), metadata={"axes": "ZYX", **said})
    assert read_with_voxel(tmp_path / "v.ome.tif")[1] == (expected and pytest.approx(expected))


def test_pages_that_are_not_there(tmp_path):
    whole = tmp_path / "v.ome.tif"
    tifffile.imwrite(whole, numbers(5, 20, 30), metadata={"axes": "ZYX"}, ome=True)
    (tmp_path / "more.ome.tif").write_bytes(whole.read_bytes().replace(b'SizeZ="5"', b'SizeZ="7"'))
    with pytest.raises(InputError, match="lacks 2 of its 7 pages"):
        read_with_voxel(tmp_path / "more.ome.tif")
    for name, how in (
        ("ij", {"imagej": True}),
        ("ijz", {"imagej": True, "compression": "zlib"}),
        ("z", {"compression": "zlib"}),
    ):
        tifffile.imwrite(tmp_path / f"{name}.tif", numbers(5, 20, 30), metadata={"axes": "ZYX"}, **how)
        data = (tmp_path / f"{name}.tif").read_bytes()
        for end in range(40, len(data) - 1, 97):
            (tmp_path / "cut.tif").write_bytes(data[:end])
            for read in (read_image_file, read_with_voxel, read_mask):
                with pytest.raises(InputError):
                    read(tmp_path / "cut.tif")


def test_what_is_refused(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "tz.tif", numbers(2, 3, 9, 9), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InputError, match=r"has the axes TZYX, \[2, 3, 9, 9\]; expected images"):
        read_image_file(tmp_path / "tz.tif")
    with pytest.raises(InputError, match=r"has the axes TZYX.*; expected one volume"):
        read_with_voxel(tmp_path / "tz.tif")
    tifffile.imwrite(tmp_path / "one.tif", numbers(9, 9))
    with pytest.raises(InputError, match=r"has the axes YX.*expected a stack of pages"):
        read_with_voxel(tmp_path / "one.tif")
    with tifffile.TiffWriter(tmp_path / "two.tif") as out:
        out.write(numbers(9, 9))
        out.write(numbers(8, 7))
    with pytest.raises(InputError, match="holds 2 series"):
        read_image_file(tmp_path / "two.tif")
    (tmp_path / "cut.tif").write_bytes((tmp_path / "one.tif").read_bytes()[:300])
    (tmp_path / "text.tif").write_bytes(b"no picture")
    for name in ("cut", "text"):
        with pytest.raises(InputError, match="cannot be read as tif"):
            read_image_file(tmp_path / f"{name}.tif")
        with pytest.raises(InputError, match="cannot be read"):
            read_mask(tmp_path / f"{name}.tif")
    tifffile.imwrite(tmp_path / "rgb.tif", numbers(9, 9, 3), photometric="rgb")
    with pytest.raises(InputError, match=r"expected whole numbers \[H, W\]"):
        read_mask(tmp_path / "rgb.tif")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(InputError, match=r"pip install 'steerable\[images\]'"):
        read_image_file(tmp_path / "one.tif")
