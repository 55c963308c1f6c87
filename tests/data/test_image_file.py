"""Single image files: what is read from each kind, and what is refused with one line."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch

from steerable.data import InputError, iterate_images, read_image_file
from steerable.data.image_file import count_images

X = np.random.default_rng(0).standard_normal((7, 9)).astype(np.float32)


def refused(path, *words, **options):
    with pytest.raises(InputError) as e:
        read_image_file(path, **options)
    text = str(e.value)
    assert "\n" not in text
    assert path.name in text
    assert "expected" in text
    for word in words:
        assert word in text, (word, text)


def fits_file(path, *hdus):
    fits = pytest.importorskip("astropy.io.fits")
    units = [fits.PrimaryHDU(hdus[0] if hdus else None)]
    units += [fits.ImageHDU(h) if isinstance(h, np.ndarray) or h is None else h for h in hdus[1:]]
    fits.HDUList(units).writeto(path)
    return path


def picture(path, array, **options):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32, ">f4"])
def test_fits(tmp_path, dtype):
    x = (X * 100).astype(dtype)
    found = read_image_file(fits_file(tmp_path / "a.fits", x))
    assert found.shape == (1, 1, 7, 9)
    assert found.dtype == torch.float32
    assert torch.equal(found[0, 0], torch.from_numpy(x.astype(np.float32)))


def test_fits_takes_the_first_image_or_the_one_that_is_asked_for(tmp_path):
    path = fits_file(tmp_path / "a.fits", None, X, 2 * X)
    assert torch.equal(read_image_file(path)[0, 0], torch.from_numpy(X))
    assert torch.equal(read_image_file(path, hdu=2)[0, 0], torch.from_numpy(2 * X))
    refused(path, "3 HDUs", "0 to 2", hdu=3)
    refused(path, "HDU 0: empty", hdu=0)


def test_fits_of_bands_and_of_one_plane(tmp_path):
    bands = np.stack([X, 2 * X, 3 * X])
    assert torch.equal(read_image_file(fits_file(tmp_path / "a.fits", bands))[0], torch.from_numpy(bands))
    assert read_image_file(fits_file(tmp_path / "b.fit", X[None, None])).shape == (1, 1, 7, 9)
    # an image goes before bands, wherever it stands
    path = fits_file(tmp_path / "c.fts", bands, X)
    assert torch.equal(read_image_file(path)[0, 0], torch.from_numpy(X))


def test_compressed_fits(tmp_path):
    assert torch.equal(read_image_file(fits_file(tmp_path / "a.fits.gz", X))[0, 0], torch.from_numpy(X))


def test_fits_that_was_packed(tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    x = np.arange(63, dtype=np.int16).reshape(7, 9)
    for name in ("a.fits", "b.fits.fz"):
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(x)]).writeto(tmp_path / name)
        assert torch.equal(read_image_file(tmp_path / name)[0, 0], torch.from_numpy(x.astype(np.float32)))


def test_a_table_is_no_image(tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    table = fits.BinTableHDU.from_columns([fits.Column("flux", "E", array=np.ones(5, dtype=np.float32))])
    path = tmp_path / "t.fits"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    refused(path, "has no image", "a table", "empty")


@pytest.mark.parametrize("keep", [100, 2880, 3000, -1])
def test_truncated_fits(tmp_path, keep):
    path = fits_file(tmp_path / "a.fits", np.ones((60, 60), dtype=np.float32))
    path.write_bytes(path.read_bytes()[:keep] if keep > 0 else path.read_bytes()[: 2880 + 60 * 60 * 4 - 8])
    refused(path)


def test_truncated_compressed_fits(tmp_path):
    path = fits_file(tmp_path / "a.fits.gz", np.random.default_rng(0).random((60, 60)))
    path.write_bytes(path.read_bytes()[:-2000])
    refused(path)


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz", "a.npy", "a.npz", "a.png", "a.jpg"])
@pytest.mark.parametrize("content", [b"", b"this is a text file\n" * 500, b"\x93NUMPY", b"\x00" * 5000])
def test_foreign_files(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    refused(path)


def test_npy_and_npz(tmp_path):
    cube = np.stack([X, 2 * X, 3 * X])
    for name, array, shape in [
        ("a.npy", X, (1, 1, 7, 9)),
        ("b.npy", cube, (3, 1, 7, 9)),
        ("c.npy", cube[:, None], (3, 1, 7, 9)),
        ("d.npy", np.stack([cube, cube]), (2, 3, 7, 9)),
        ("e.npy", np.asfortranarray(cube), (3, 1, 7, 9)),
        ("f.npy", cube.astype(">f8"), (3, 1, 7, 9)),
    ]:
        np.save(tmp_path / name, array)
        found = read_image_file(tmp_path / name)
        assert found.shape == shape
        assert torch.equal(found.flatten(), torch.from_numpy(array.astype(np.float32).ravel()))
        np.savez_compressed(tmp_path / "a.npz", array)
        assert torch.equal(read_image_file(tmp_path / "a.npz"), found)
        np.savez(tmp_path / "b.npz", y=np.arange(3), x=array)
        assert torch.equal(read_image_file(tmp_path / "b.npz"), found)
        for path in (tmp_path / name, tmp_path / "a.npz", tmp_path / "b.npz"):
            assert count_images(path) == len(found)


def test_pieces_are_the_whole(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.random.default_rng(0).random((11, 3, 4)))
    parts = list(iterate_images(tmp_path / "a.npz", chunk=4))
    assert [len(p) for p in parts] == [4, 4, 3]
    assert torch.equal(torch.cat(parts), read_image_file(tmp_path / "a.npz"))


def test_bytes_come_into_the_unit_interval(tmp_path):
    x = np.arange(63, dtype=np.uint8).reshape(7, 9) * 4
    picture(tmp_path / "a.png", x)
    np.save(tmp_path / "a.npy", x)
    a, b = read_image_file(tmp_path / "a.png"), read_image_file(tmp_path / "a.npy")
    assert torch.equal(a, b)
    assert float(a.max()) == pytest.approx(248 / 255)
    picture(tmp_path / "b.png", x.astype(np.uint16) * 256)
    assert float(read_image_file(tmp_path / "b.png").max()) == 248 * 256


def test_pictures_of_several_channels(tmp_path):
    image = pytest.importorskip("PIL.Image")
    x = np.random.default_rng(0).integers(0, 255, (7, 9, 3)).astype(np.uint8)
    expected = torch.from_numpy(np.moveaxis(x, -1, 0).astype(np.float32) / 255)
    assert torch.equal(read_image_file(picture(tmp_path / "a.png", x))[0], expected)
    alpha = np.concatenate([x, np.full((7, 9, 1), 255, dtype=np.uint8)], -1)
    assert torch.equal(read_image_file(picture(tmp_path / "b.png", alpha))[0], expected)
    alpha[3, 4, 3] = 100
    refused(picture(tmp_path / "c.png", alpha), "transparent")
    assert read_image_file(picture(tmp_path / "d.jpg", x)).shape == (1, 3, 7, 9)
    image.fromarray(x).quantize(16).save(tmp_path / "e.png")
    assert read_image_file(tmp_path / "e.png").shape == (1, 3, 7, 9)
    image.fromarray(x[..., 0] > 100).save(tmp_path / "f.png")
    assert set(read_image_file(tmp_path / "f.png").unique().tolist()) == {0, 1}


def test_truncated_picture(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (60, 60)).astype(np.uint8)
    path = picture(tmp_path / "a.png", x)
    path.write_bytes(path.read_bytes()[:1000])
    refused(path)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.fits"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan(tmp_path, name, value):
    x = X.copy()
    x[2, 3] = value
    if name == "a.fits":
        fits_file(tmp_path / name, x)
    else:
        (np.save if name == "a.npy" else np.savez)(tmp_path / name, x)
    refused(tmp_path / name, "1 of 63 pixels", "NaN or infinite")


def test_nan_in_a_cube_names_the_image(tmp_path):
    x = np.ones((20, 4, 4))
    x[13, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", x)
    refused(tmp_path / "a.npy", "a.npy#13")
    with pytest.raises(InputError, match=r"a\.npy#13"):
        list(iterate_images(tmp_path / "a.npy", chunk=4))


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros(5), "[5]"),
        (np.zeros((1, 2, 3, 4, 5)), "[1, 2, 3, 4, 5]"),
        (np.zeros((0, 4, 4)), "0 images"),
        (np.zeros((2, 0, 4)), "at least one pixel"),
        (np.zeros((2, 9, 9, 3)), "channels last"),
        (np.array([["a", "b"]]), "<U1"),
        (np.zeros((3, 3), dtype=complex), "complex128"),
        (np.array([[{}]], dtype=object), "object"),
    ],
)
def test_arrays_that_are_no_images(tmp_path, array, word):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    refused(tmp_path / "a.npy", word)
    np.savez(tmp_path / "a.npz", array)
    refused(tmp_path / "a.npz", word)


def test_npz_without_a_single_array(tmp_path):
    np.savez(tmp_path / "a.npz", a=X, b=X)
    refused(tmp_path / "a.npz", "'a', 'b'", "called x")


def test_truncated_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((20, 8, 8)))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-3])
    refused(tmp_path / "a.npy", "3 bytes early")
    (tmp_path / "a.npy").write_bytes(whole[:20])
    refused(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", np.ones((20, 8, 8)))
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:3000])
    refused(tmp_path / "a.npz")
    # an archive that is whole, with an array that is not
    buffer = io.BytesIO()
    np.save(buffer, np.ones((20, 8, 8)))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", buffer.getvalue()[:-100])
    refused(tmp_path / "b.npz", "100 bytes early")


def test_a_damaged_archive(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.random.default_rng(0).random((20, 8, 8)))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[3000] ^= 255
    (tmp_path / "a.npz").write_bytes(bytes(data))
    refused(tmp_path / "a.npz")


def test_names(tmp_path):
    refused(tmp_path / "none.fits", "does not exist")
    (tmp_path / "a.gif").touch()
    refused(tmp_path / "a.gif", "'.tif'", ".fits")
    (tmp_path / "a.nyp").touch()
    refused(tmp_path / "a.nyp", "Did you mean '.np")
    (tmp_path / "b.fits").mkdir()
    refused(tmp_path / "b.fits", "is a folder")
