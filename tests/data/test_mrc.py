"""Density maps: the axes and the handedness are those of space, however a file was written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from steerable.data import InputError, read_mrc
from steerable.data.files import load_npz

real = pytest.mark.skipif("STEERABLE_DATA" not in os.environ, reason="STEERABLE_DATA is not set")


def write(path, array, axes=(1, 2, 3), mode=2, order="<", extra=b"", cell=(4.0, 6.0, 8.0)):
    """A map whose array is [section, row, column]."""
    header = np.zeros(256, f"{order}i4")
    header[:4] = [*array.shape[::-1], mode]
    grid = dict(zip(axes, array.shape[::-1], strict=True))
    header[7:10] = [grid[1], grid[2], grid[3]]
    header[10:13] = np.array(cell, f"{order}f4").view(f"{order}i4")
    header[16:19] = axes
    header[23] = len(extra)
    kind = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}[mode]
    path.write_bytes(header.tobytes() + extra + array.astype(f"{order}{kind}").tobytes())
    return path


@pytest.mark.parametrize("axes", [(1, 2, 3), (3, 1, 2), (2, 1, 3), (3, 2, 1), (0, 0, 0)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_axes(tmp_path, axes, order):
    z, y, x = np.meshgrid(np.arange(4), np.arange(3), np.arange(2), indexing="ij")
    values = {1: x, 2: y, 3: z}
    named = axes if axes != (0, 0, 0) else (1, 2, 3)
    space = (100 * values[1] + 10 * values[2] + values[3]).astype(np.float32)  # [z, y, x]
    # the array of the file runs over sections, rows, columns
    array = space.transpose([3 - a for a in reversed(named)])
    path = write(tmp_path / "a.mrc", array, named, order=order)
    if axes == (0, 0, 0):
        raw = bytearray(path.read_bytes())
        raw[64:76] = bytes(12)
        path.write_bytes(raw)
    found = read_mrc(path)
    assert np.array_equal(found.rho, space[:, ::-1])  # x2 is up: rows fall in y
    assert found.voxel == pytest.approx((4 / 2, 6 / 3, 8 / 4))
    if axes == (3, 1, 2):  # the planted fault: to take the array as it lies
        assert found.rho.shape != array.shape


@pytest.mark.parametrize("mode", [0, 1, 2, 6, 12])
def test_modes_and_extended_headers(tmp_path, mode):
    array = np.arange(24).reshape(2, 3, 4)
    found = read_mrc(write(tmp_path / "a.map", array, mode=mode, extra=b"symmetry" * 10)).rho
    assert found.dtype == np.float32 and np.array_equal(found, array[:, ::-1])


def test_bad_files(tmp_path):
    path = tmp_path / "a.mrc"
    for make, word in [
        (lambda: None, "does not exist"),
        (lambda: path.write_bytes(b"short"), "expected a header of 1024"),
        (lambda: path.write_bytes(b"\x1f\x8b" * 600), "Is it still packed"),
        (lambda: write(path, np.zeros((2, 2, 2)), mode=2), None),
        (lambda: path.write_bytes(path.read_bytes()[:-4]), "expected 1056"),
        (lambda: write(path, np.full((2, 2, 2), np.nan)), "8 voxels that are not finite"),
    ]:
        make()
        if word is None:
            assert read_mrc(path).rho.shape == (2, 2, 2)
            continue
        with pytest.raises(InputError, match=word) as e:
            read_mrc(path)
        assert "\n" not in str(e.value)


@real
@pytest.mark.parametrize("name", ["1ake_density", "emd_3001", "emd_3197"])
def test_real_maps_are_their_arrays(name):
    folder = Path(os.environ["STEERABLE_DATA"]) / "density_maps"
    z = load_npz(folder / f"{name}.npz", ("rho", "axes", "cell_angstrom", "grid"))
    place = {int(a): 2 - k for k, a in enumerate(z["axes"])}
    found = read_mrc(folder / f"{name}.mrc")
    assert np.array_equal(found.rho[:, ::-1], z["rho"].transpose(place[3], place[2], place[1]))
    assert found.voxel == pytest.approx(tuple(z["cell_angstrom"] / z["grid"]), rel=1e-4)
