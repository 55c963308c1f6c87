"""Maps on HEALPix as FITS: what is written is what our reader reads, in both orders."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.data import InputError
from steerable.data.sphere_file import first_table, read_maps
from steerable.data.sphere_write import write_healpix

pytest.importorskip("astropy")


@pytest.mark.parametrize("nested", [None, False, True], ids=["as it is", "ring", "nested"])
@pytest.mark.parametrize("sampling", ["healpix(4)", "healpix(4, nested)"])
def test_round_trip_in_both_orders(tmp_path, sampling, nested):
    sphere = st.Sphere.healpix(4, nested="nested" in sampling)
    maps = torch.randn(3, 192, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "a.fits"
    write_healpix(path, maps, sphere, ["T", "Q", "U"], "uK", nested, polarised=True)
    header, table = first_table(path)
    wanted = sphere.nested if nested is None else nested
    assert header["ORDERING"] == ("NESTED" if wanted else "RING")
    assert (header["NSIDE"], header["PIXTYPE"], header["POLCCONV"], header["TUNIT2"]) == (4, "HEALPIX", "COSMO", "uK")
    assert list(table) == ["T", "Q", "U"]
    assert torch.equal(read_maps(path, sampling)[0], maps)  # U keeps its sign
    other = "healpix(4)" if sphere.nested else "healpix(4, nested)"
    turned = read_maps(path, other)[0]
    assert torch.equal(turned, sphere.reorder(maps, not sphere.nested))
    assert not torch.equal(turned, maps)


def test_another_reader_finds_the_same_places(tmp_path):
    """The order is that of the sky: a map of the third coordinate is read in place by what knows HEALPix alone."""
    healpix = pytest.importorskip("astropy_healpix")
    sphere = st.Sphere.healpix(4)
    z = sphere.points()[:, 2]
    for name, nested in (("ring", False), ("nested", True)):
        write_healpix(tmp_path / f"{name}.fits", z[None], sphere, ["z"], nested=nested)
        _, table = first_table(tmp_path / f"{name}.fits")
        latitude = healpix.HEALPix(4, order=name).healpix_to_lonlat(range(192))[1]
        assert torch.allclose(
            torch.tensor(latitude.radian).sin().float(), torch.tensor(table["z"].astype("f4")), atol=1e-6
        )


def test_classes_stay_whole_and_what_cannot_be_written_is_told(tmp_path):
    sphere = st.Sphere.healpix(2)
    labels = torch.arange(48).remainder(5).to(torch.uint8)
    write_healpix(tmp_path / "c.fits", labels[None], sphere, ["class"])
    assert first_table(tmp_path / "c.fits")[1]["class"].dtype.kind == "i"
    assert torch.equal(read_maps(tmp_path / "c.fits", "healpix(2)")[0][0], labels.float())
    with pytest.raises(InputError, match="exists already"):
        write_healpix(tmp_path / "c.fits", labels[None], sphere, ["class"])
    with pytest.raises(InputError, match="expected a new file, maps"):
        write_healpix(tmp_path / "d.fits", labels[None], sphere, ["a", "b"])
    with pytest.raises(InputError, match=r"lie on GaussSphere.* expected HEALPix"):
        write_healpix(tmp_path / "d.fits", torch.zeros(1, 128), st.Sphere.gauss(8), ["a"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.fits"]


def test_numbers_beyond_32_bits_stay(tmp_path):
    write_healpix(tmp_path / "n.fits", torch.full((1, 48), 2**40), st.Sphere.healpix(2), ["count"])
    assert (first_table(tmp_path / "n.fits")[1]["count"] == 2**40).all()


def test_what_is_missing_and_the_frame_stand_in_the_file(tmp_path):
    sphere, path = st.Sphere.healpix(2), tmp_path / "m.fits"
    maps = torch.randn(2, 48, generator=torch.Generator().manual_seed(0))
    maps[1, 3] = torch.nan
    known = torch.arange(48) > 0
    write_healpix(path, maps, sphere, ["T", "p"], ["K", "Pa"], nested=True, known=known, header={"COORDSYS": "G"})
    header, table = first_table(path)
    assert (header["COORDSYS"], header["TUNIT1"], header["TUNIT2"]) == ("G", "K", "Pa")
    assert sum((table["T"] < -1e30).tolist()) == 1 and sum((table["p"] < -1e30).tolist()) == 2
    found = read_maps(path, "healpix(2)", nan=True)[0]
    assert found.isnan().nonzero().tolist() == [[0, 0], [1, 0], [1, 3]] and torch.equal(found[0, 1:], maps[0, 1:])
    write_healpix(tmp_path / "c.fits", torch.ones(1, 48, dtype=torch.uint8), sphere, ["class"], known=known)
    assert first_table(tmp_path / "c.fits")[1]["class"].tolist() == [-1] + 47 * [1]
