"""Maps from files: order, orientation, missing pixels, and messages that name what a map most likely is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from steerable.data import InputError
from steerable.data.sphere_file import list_maps, read_maps
from steerable.data.sphere_folder import sphere_folder
from steerable.data.sphere_map import UNSEEN, as_maps
from steerable.domains.sphere import Sphere
from steerable.run.config import DataConfig
from steerable.run.readers import load_data

NSIDE = 8


def heights(nested):
    """A map whose values say where its pixels are: x + 2 y + 4 z, and a second of another kind."""
    p = Sphere.healpix(NSIDE, nested=nested).points().numpy()
    return p @ np.array([1.0, 2.0, 4.0]), p[:, 2] ** 2


def write_fits(path, maps, order, names=("TEMPERATURE", "Q_POLARISATION"), rows=False, **header):
    """As HEALPix software does: a binary table after an empty image, rows of 1 or of 1024 pixels."""
    fits = pytest.importorskip("astropy.io.fits")
    form = (lambda m: (m.reshape(-1, 256), "256E")) if rows else (lambda m: (m, "E"))
    columns = [fits.Column(name=n, format=form(m)[1], array=form(m)[0]) for n, m in zip(names, maps, strict=True)]
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update({"ORDERING": order, "NSIDE": NSIDE, "PIXTYPE": "HEALPIX", "INDXSCHM": "IMPLICIT", **header})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)


@pytest.mark.parametrize("wanted", ["healpix(8)", "healpix(8, nested)"])
@pytest.mark.parametrize("rows", [False, True])
def test_ring_and_nested_files_read_equal(tmp_path, wanted, rows):
    """The pixels come where the sampling has them, whatever their order in the file."""
    right = torch.from_numpy(np.stack(heights("nested" in wanted))).float()
    for order in ("RING", "NESTED"):
        write_fits(tmp_path / "map.fits", heights(order == "NESTED"), order, rows=rows)
        (found,) = read_maps(tmp_path / "map.fits", wanted)
        assert found.dtype == torch.float32 and torch.allclose(found, right, atol=1e-6)
    write_fits(tmp_path / "wrong.fits", heights(nested=False), "NESTED")  # a header that lies is seen
    assert not torch.allclose(read_maps(tmp_path / "wrong.fits", wanted)[0], right, atol=0.1)


def test_fits_columns_conventions_and_missing_pixels(tmp_path):
    file = tmp_path / "map.fits.gz"
    i, q = heights(nested=False)
    i[5], u = UNSEEN, q + 1
    write_fits(file, (i, q, u), "RING", ("I_STOKES", "Q_STOKES", "U_STOKES"), POLCCONV="IAU")
    assert torch.allclose(read_maps(file, "healpix(8)", columns=["Q_STOKES"])[0][0].double(), torch.from_numpy(q))
    (found,) = read_maps(file, "healpix(8)", mask_value=UNSEEN)
    assert found.shape == (4, 768) and found[:, 5].tolist() == [0, 0, 0, 0] and found[3].sum() == 767
    assert torch.allclose(found[2, 6:].double(), -torch.from_numpy(u[6:]))  # U of the IAU has the other sign
    write_fits(file, (i, q, u), "RING", ("I_STOKES", "Q_STOKES", "U_STOKES"), POLCCONV="COSMO")
    assert torch.allclose(read_maps(file, "healpix(8)", UNSEEN)[0][2, 6:].double(), torch.from_numpy(u[6:]))
    with pytest.raises(InputError, match=r"1 of 2304 pixels are -1\.6375e\+30 .*mask_value=\.nan"):
        read_maps(file, "healpix(8)")
    with pytest.raises(InputError, match=r"has the columns .*'I_STOKES'"):
        read_maps(file, "healpix(8)", columns=["T"])


def test_files_that_are_refused(tmp_path):
    file = tmp_path / "map.fits"
    write_fits(file, heights(nested=False), "RING")
    with pytest.raises(InputError, match=r"has NSIDE 8; expected 16.*healpix\(8\)"):
        read_maps(file, "healpix(16)")
    with pytest.raises(InputError, match=r"has NSIDE 8.*healpix\(8, nested\)"):
        read_maps(file, "healpix(16, nested)")
    with pytest.raises(InputError, match="of a HEALPix map; expected GaussSphere"):
        read_maps(file, "gauss(8)")
    for more, says in (
        ({"order": "UP"}, "ORDERING is 'UP'"),
        ({"INDXSCHM": "SPARSE"}, "INDXSCHM 'SPARSE'"),
        ({"INDXSCHM": "EXPLICIT"}, r"partial map .* PIXEL None, NSIDE 8; expected whole numbers in PIXEL"),
        ({"NSIDE": 4}, "columns of \\[768\\] pixels with NSIDE 4; expected 192"),
    ):
        write_fits(file, heights(nested=False), **{"order": "RING", **more})
        with pytest.raises(InputError, match=says):
            read_maps(file, "healpix(8)")
    file.write_bytes(file.read_bytes()[:4000])
    with pytest.raises(InputError, match=r"cannot be read|holds"):
        read_maps(file, "healpix(8)")
    fits = pytest.importorskip("astropy.io.fits")
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(file, overwrite=True)
    with pytest.raises(InputError, match="holds \\['PrimaryHDU'\\]; expected a binary table"):
        read_maps(file, "healpix(8)")
    for name, says in (("map.txt", "ends in '.txt'"), ("none.npy", "does not exist")):
        with pytest.raises(InputError, match=says):
            read_maps(tmp_path / name, "healpix(8)")
    with pytest.raises(InputError, match="expected one of gauss"):
        read_maps(file, "cube(3)")


def write_partial(path, pixels, maps, order, form="J", **header):
    """A part of the sky, as HEALPix software writes it: the number of each pixel, then its values."""
    fits = pytest.importorskip("astropy.io.fits")
    columns = [fits.Column(name="PIXEL", format=form, array=np.asarray(pixels))]
    columns += [fits.Column(name=n, format="E", array=m) for n, m in zip(("I_STOKES", "U_STOKES"), maps, strict=True)]
    table = fits.BinTableHDU.from_columns(columns)
    more = {"PIXTYPE": "HEALPIX", "INDXSCHM": "EXPLICIT", "OBJECT": "PARTIAL", "GRAIN": 1, "NSIDE": NSIDE}
    table.header.update({"ORDERING": order, **more, **header})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)


@pytest.mark.parametrize("wanted", ["healpix(8)", "healpix(8, nested)"])
@pytest.mark.parametrize("order", ["RING", "NESTED"])
def test_partial_maps(tmp_path, wanted, order):
    """Pixels in any order, of one of two schemes; what is not there is missing."""
    file, right = tmp_path / "part.fits", np.stack(heights("nested" in wanted))
    own = np.stack(heights(order == "NESTED"))
    pixels = np.random.default_rng(0).permutation(768)[:300]
    write_partial(file, pixels, own[:, pixels], order)
    (found,) = read_maps(file, wanted, math.nan)
    known = found[2] == 1
    assert found.shape == (3, 768) and int(known.sum()) == 300 and not found[:2, ~known].any()
    assert torch.allclose(found[:2, known].double(), torch.from_numpy(right)[:, known], atol=1e-6)
    (unseen,) = read_maps(file, wanted, UNSEEN)  # the value that whole maps of the same survey have
    assert torch.equal(unseen, found)
    with pytest.raises(InputError, match=r"936 of 1536 pixels are NaN; expected numbers\. Train .*mask_value=\.nan"):
        read_maps(file, wanted)
    assert read_maps(file, wanted, math.nan, columns=["U_STOKES"])[0].shape == (2, 768)
    write_partial(file, pixels, own[:, pixels], order, POLCCONV="IAU")
    assert torch.equal(read_maps(file, wanted, math.nan)[0][1], -found[1])
    write_partial(file, np.arange(768), own, order, form="K")  # all of the sky, by number
    assert torch.allclose(read_maps(file, wanted)[0].double(), torch.from_numpy(right), atol=1e-6)


def test_partial_maps_that_are_refused(tmp_path):
    file = tmp_path / "part.fits"
    for pixels, more, says in (
        ([0, 768], {}, "of 2 rows, 1 of them outside 0 to 767 and 0 of a pixel"),
        ([-1, 3], {}, "1 of them outside"),
        ([3, 3], {}, "1 of a pixel that another has; expected each pixel once"),
        ([0, 1], {"form": "E"}, "PIXEL >f4, NSIDE 8; expected whole numbers"),
        ([0, 1], {"NSIDE": 16}, "has NSIDE 16; expected 8"),
    ):
        write_partial(file, pixels, np.zeros((2, 2)), "RING", **more)
        with pytest.raises(InputError, match=says) as e:
            read_maps(file, "healpix(8)", math.nan)
        assert "\n" not in str(e.value)


def test_arrays(tmp_path):
    np.save(tmp_path / "one.npy", np.arange(128.0).reshape(8, 16))
    np.save(tmp_path / "bytes.npy", np.full((3, 8, 16), 255, np.uint8))
    np.savez(tmp_path / "many.npz", x=np.zeros((5, 2, 8, 16)))
    np.save(tmp_path / "some.npy", np.zeros((5, 2, 8, 16)))
    (tmp_path / ".hidden.npy").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "sky.fits.gz").touch()
    shown, others = list_maps(tmp_path)
    assert [p.name for p in shown] == ["bytes.npy", "many.npz", "one.npy", "sky.fits.gz", "some.npy"]
    assert [p.name for p in others] == ["notes.txt"]
    (one,) = read_maps(tmp_path / "one.npy", "gauss(8)")
    assert one.shape == (1, 8, 16) and one[0, 1, 0] == 16
    assert read_maps(tmp_path / "bytes.npy", "gauss(8)")[0].unique().tolist() == [1.0]
    for name in ("many.npz", "some.npy"):
        assert [x.shape for x in read_maps(tmp_path / name, Sphere.gauss(8))] == [(2, 8, 16)] * 5


@pytest.mark.parametrize(
    ("shape", "sampling", "says"),
    [
        ((2, 3072), "healpix(8)", r"healpix\(16\), or healpix\(16, nested\) if its pixels are in nested order"),
        ((2, 108), "healpix(8)", r"one of healpix\(3\): set"),
        ((2, 3072), "gauss(8)", r"healpix\(16\) by rings, or healpix\(16, nested\)"),
        ((2, 642), "gauss(8)", r"icosahedral\(3\)"),
        ((2, 12, 24), "gauss(8)", r"gauss\(12\), band 12, or equiangular\(nlat=12, kind=fejer\)"),
        ((2, 16, 31), "gauss(8)", r"equiangular\(16, mw\)"),
        ((2, 9, 16), "gauss(8)", r"equiangular\(nlat=9, kind=cc\)"),
        ((2, 16, 8), "gauss(8)", "on its side"),
        ((2, 7, 11), "gauss(8)", r"expected numbers \[N, 8, 16\] or \[N, C, 8, 16\] on GaussSphere\(8 x 16\)\.$"),
    ],
)
def test_a_wrong_length_says_what_it_is(shape, sampling, says):
    from steerable.domains.sphere import parse_sphere

    with pytest.raises(InputError, match=says):
        as_maps(np.zeros(shape), parse_sphere(sampling), "maps")


def test_missing_pixels():
    x = np.ones((2, 3, 48), np.float32)
    x[0, 1, 7] = math.nan
    sphere = Sphere.healpix(2)
    with pytest.raises(InputError, match=r"1 of 288 pixels are NaN; .*mask_value=\.nan"):
        as_maps(x, sphere, "maps")
    found = as_maps(x, sphere, "maps", math.nan)
    assert found.shape == (2, 4, 48) and found[0, :, 7].tolist() == [0, 0, 0, 0] and found.sum() == 2 * 4 * 48 - 4
    x[0, 1, 7] = np.float32(UNSEEN)
    for value in (UNSEEN, math.nan, 5.0):  # UNSEEN and NaN are no values of the sky, whatever else is missing
        assert torch.equal(as_maps(x, sphere, "maps", value), found)
    assert torch.equal(as_maps(x[:, 0], sphere, "maps", -1.0)[:, 1], torch.ones(2, 48))  # nothing missing


# ---- a folder


def save(folder, name, n, **arrays):
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{name}.npz", x=np.random.default_rng(n).standard_normal((n, 2, 4, 8)), **arrays)


def answers(kind, n):
    rng = np.random.default_rng(1)
    return {
        "classes": np.arange(n) % 2,
        "regions": rng.integers(-1, 3, (n, 4, 8)),
        "value": rng.standard_normal(n),
        "vector": rng.standard_normal((n, 3)),
        "field": rng.standard_normal((n, 4, 8)),
        "wind": rng.standard_normal((n, 2, 4, 8)),
    }[kind]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("kind", ["classes", "regions", "value", "vector", "field", "wind"])
def test_folders_of_every_answer(tmp_path, kind, split):
    for part, n in {"train": 12, "val": 6, "test": 8}.items() if split else {"a": 40, "b": 44}.items():
        save(tmp_path, part, n, y=answers(kind, n), classes=["a", "b", "c"] if kind == "regions" else ["no", "yes"])
    options = {"sampling": "gauss(4)", "target_type": "1x1" if kind == "wind" else ""}
    s = load_data(DataConfig(name="sphere", root=str(tmp_path), options=options))
    assert s.train.domain == "sphere" and s.train.channels == 2
    assert len(s.train) + len(s.val) + len(s.test) == (26 if split else 84)
    assert s.train.dense == (kind in ("regions", "field", "wind")) and s.train.regions == (kind == "regions")
    shape = {"classes": (), "regions": (4, 8), "value": (), "vector": (3,), "field": (1, 4, 8), "wind": (2, 4, 8)}[kind]
    assert s.train.y.shape[1:] == shape
    if kind == "classes":
        assert s.classes == ("no", "yes")
    if kind == "wind":
        assert s.target.type == "1x1" and s.target.columns == ("y_0", "y_1")


def test_folder_options(tmp_path):
    x = np.ones((6, 3, 48))
    x[:, 1, 0] = UNSEEN
    x += np.arange(6)[:, None, None] * (x > 0)
    for part in ("train", "val", "test"):
        np.savez(tmp_path / f"{part}.npz", x=x, speed=np.ones((6, 48)), y=np.arange(6) % 2)
    s = sphere_folder(tmp_path, "speed", sampling="healpix(2)", type="1x0 + 1x2", unit="m/s", mask_value=UNSEEN)
    assert s.train.type == "1x0 + 1x2 + 1x0" and s.train.channels == 4 and str(s.target) == "speed [m/s]"
    assert (s.train.x[:, :, 0] == 0).all() and (s.train.x[:, 3, 1:] == 1).all()
    scaled = sphere_folder(tmp_path, scale="dataset", sampling="healpix(2)", mask_value=UNSEEN)
    assert scaled.classes == ("0", "1")
    with pytest.raises(InputError, match="mask_value"):
        sphere_folder(tmp_path, sampling="healpix(2)")
    with pytest.raises(InputError, match="have 2 channels, and there are 4"):
        sphere_folder(tmp_path, sampling="healpix(2)", type="1x0", mask_value=UNSEEN)
    with pytest.raises(InputError, match=r"healpix\(2\) by rings"):
        sphere_folder(tmp_path, sampling="gauss(4)")
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "one.npy", x[0])
    with pytest.raises(InputError, match=r"1 other maps have no answers: save both by numpy\.savez"):
        sphere_folder(tmp_path / "maps", sampling="healpix(2)")
    (tmp_path / "val.npz").unlink()
    with pytest.raises(InputError, match=r"expected all of \['train', 'val', 'test'\]"):
        sphere_folder(tmp_path, sampling="healpix(2)")
    for root in (None, tmp_path / "none"):
        with pytest.raises(InputError, match=r"data\.root is"):
            sphere_folder(root)


def test_files_that_differ(tmp_path):
    save(tmp_path, "a", 10, y=answers("classes", 10))
    save(tmp_path, "b", 10, y=answers("field", 10))
    with pytest.raises(InputError, match="expected files alike"):
        sphere_folder(tmp_path, sampling="gauss(4)")


def test_channels_last_and_another_rectangle_are_named():
    gauss = Sphere.gauss(16)
    with pytest.raises(InputError, match="The channels stand last"):
        as_maps(np.zeros((5, 16, 32, 3)), gauss, "maps")
    with pytest.raises(InputError, match=r"one of gauss\(24\), band 24, .*LatLonGrid") as e:
        as_maps(np.zeros((5, 1, 24, 48)), gauss, "maps")  # 48 is also the length of healpix(2)
    assert "healpix" not in str(e.value)


def test_the_sign_of_u_leaves_missing_pixels_and_other_columns(tmp_path):
    """A map of U alone in the convention of the IAU: its missing pixels are missing; variances have no sign."""
    file, (u, q) = tmp_path / "map.fits", heights(nested=False)
    u[5] = UNSEEN
    names = ("U_STOKES", "UU_COV", "QU_COV", "UNIFORM")
    write_fits(file, (u, q, q, q), "RING", names, POLCCONV="IAU")
    with pytest.raises(InputError, match=r"1 of 768 pixels are -1\.6375e\+30"):
        read_maps(file, "healpix(8)", columns=["U_STOKES"])
    assert read_maps(file, "healpix(8)", UNSEEN, ["U_STOKES"])[0][:, 5].tolist() == [0, 0]
    uu, qu, other = read_maps(file, "healpix(8)", columns=names[1:])[0]
    assert torch.equal(uu, -qu) and torch.equal(uu, other) and torch.allclose(uu.double(), torch.from_numpy(q))


@pytest.mark.parametrize("name", ["U", "STOKES_U", "POL_U", "CMB_U", "U_POLARISATION", "UMAP", "U143", "u stokes"])
def test_u_of_the_iau_is_found_by_its_name(tmp_path, name):
    file, (u, q) = tmp_path / "map.fits", heights(nested=False)
    write_fits(file, (q, u, u), "RING", ("Q_X", name, "UNIFORM"), POLCCONV="IAU")
    found = read_maps(file, "healpix(8)")[0].double()
    assert torch.allclose(found, torch.from_numpy(np.stack([q, -u, u])), atol=1e-6)


def test_a_file_of_the_iau_without_one_u_is_refused(tmp_path):
    file, (u, q) = tmp_path / "map.fits", heights(nested=False)
    for names in (("SIGNAL", "P1", "P2"), ("T", "U_A", "U_B"), ("T", "Q", "U_ERR")):
        write_fits(file, (u, q, u), "RING", names, POLCCONV="IAU")
        with pytest.raises(InputError, match=r"POLCCONV 'IAU' and the columns .* expected exactly one.* Name it U, or"):
            read_maps(file, "healpix(8)")
        write_fits(file, (u, q, u), "RING", names, POLCCONV="COSMO")
        assert len(read_maps(file, "healpix(8)")[0]) == 3
    write_fits(file, (u, q), "RING", ("TEMPERATURE", "Q_STOKES"), POLCCONV="IAU")  # nothing in it is U
    assert torch.allclose(read_maps(file, "healpix(8)")[0][0].double(), torch.from_numpy(u), atol=1e-6)


def test_maps_of_another_table_and_for_training(tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    import steerable.data

    file, (u, q) = tmp_path / "map.fits", heights(nested=False)
    u[5] = UNSEEN
    write_fits(tmp_path / "one.fits", (q,), "RING", ("T",))
    write_fits(tmp_path / "two.fits", (u,), "RING", ("T",))
    with fits.open(tmp_path / "one.fits") as one, fits.open(tmp_path / "two.fits") as two:
        fits.HDUList([*one, two[1]]).writeto(file)
    found = steerable.data.read_maps(file, "healpix(8)", hdu=2, nan=True)[0]
    assert found.isnan().nonzero().tolist() == [[0, 5]] and torch.allclose(found[0, 6:].double(), torch.tensor(u[6:]))
    assert torch.allclose(read_maps(file, "healpix(8)", hdu=1)[0][0].double(), torch.from_numpy(q), atol=1e-6)
    with pytest.raises(InputError, match=r"expected a binary table as number 3, counted from 0 \(--hdu\)"):
        read_maps(file, "healpix(8)", hdu=3)
