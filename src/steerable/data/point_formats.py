"""Points in the formats that others write: XYZ of molecules, PLY of scanners, OFF of meshes, CSV."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from steerable.data.errors import InputError

_TABLE = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn"
)
NUMBERS = {name: k + 1 for k, name in enumerate(_TABLE.split())}
_PLY = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip


class PointSet(NamedTuple):
    """One set of points as a file holds it.

    Attributes:
        positions: float64 ``[m, n]``.
        elements: atomic numbers ``[m]``, or None.
        features: further numbers ``[m, c]``, or None.
        faces: triangles of a mesh ``[k, 3]``, or None.
        comment: of a molecule, on one line.
    """

    positions: np.ndarray
    elements: np.ndarray | None = None
    features: np.ndarray | None = None
    faces: np.ndarray | None = None
    comment: str = ""


def read_xyz(path: Path) -> list[PointSet]:
    """Read molecules one after another: number of atoms, comment, then symbol (or number) and x, y, z in Angstrom.

    What follows the coordinates is left out. Exponents written as ``*^`` (QM9) are understood.

    Raises:
        InputError: a line that is none of these.
    """
    lines = _text(path).splitlines()
    found, at = [], 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        word = lines[at].strip()
        if not word.isdecimal() or at + 2 + int(word) > len(lines) or int(word) < 1:
            if len(found) == 1 and found[0].comment.startswith("gdb"):  # QM9 has frequencies and names after the atoms
                break
            raise InputError(
                f"'{path}' has {word[:40]!r} on line {at + 1}; expected the number of atoms, and as many lines after "
                "the next one. Write it as XYZ."
            )
        rows = [line.replace("*^", "e").split() for line in lines[at + 2 : at + 2 + int(word)]]
        try:
            place = np.array([[float(v) for v in r[1:4]] for r in rows], np.float64)
            kind = [int(r[0]) if r[0].isdecimal() else NUMBERS[r[0].capitalize()] for r in rows]
            if place.shape != (len(rows), 3):
                raise ValueError(f"coordinates {place.shape}")
        except (ValueError, KeyError, IndexError) as e:
            raise InputError(
                f"'{path}': molecule {len(found)} from line {at + 1} has no symbol and three numbers on each line "
                f"({e}); expected an XYZ file."
            ) from None
        found.append(PointSet(place, np.array(kind, np.int64), comment=lines[at + 1].strip()))
        at += 2 + int(word)
    if not found:
        raise InputError(f"'{path}' holds {len(found)} molecules; expected an XYZ file with at least one.")
    return found


def read_ply(path: Path) -> PointSet:
    """Read the vertices of a PLY file, ascii or binary: x, y, z; other properties are left out.

    Raises:
        InputError: no PLY file, no vertices, or lists among their properties.
    """
    raw = _bytes(path)
    head, mark, body = raw.partition(b"end_header")
    lines = head.decode("ascii", "replace").split("\n")
    if lines[0].strip() != "ply" or not mark:
        raise InputError(f"'{path}' begins with {raw[:8]!r}; expected a PLY file with a header.")
    body = body[body.index(b"\n") + 1 :] if b"\n" in body else b""
    kind = next((w.split()[1] for w in lines if w.startswith("format")), "")
    elements: list[tuple[str, int, list[tuple[str, str]]]] = []
    for line in lines:
        words = line.split()
        if words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"] and elements:
            elements[-1][2].append((words[-1], " ".join(words[1:-1])))
    if not elements or elements[0][0] != "vertex" or not {"x", "y", "z"} <= {p for p, _ in elements[0][2]}:
        first = elements[0] if elements else "no element"
        raise InputError(f"'{path}' has {first}; expected vertices with x, y, z first. Write it again.")
    _, count, properties = elements[0]
    names = [p for p, _ in properties]
    try:
        if kind == "ascii":
            rows = body.decode("ascii").split("\n")[:count]
            table = np.array([[float(v) for v in r.split()[: len(names)]] for r in rows], np.float64)
            place = table[:, [names.index(a) for a in "xyz"]]
        else:
            order = {"binary_little_endian": "<", "binary_big_endian": ">"}[kind]
            layout = np.dtype([(p, order + _PLY[t]) for p, t in properties])
            rows = np.frombuffer(body, layout, count)
            place = np.stack([rows[a].astype(np.float64) for a in "xyz"], 1)
    except (KeyError, ValueError, IndexError) as e:
        raise InputError(f"'{path}' ({kind}) does not hold {count} vertices as its header says ({e}).") from None
    return PointSet(place)


def read_off(path: Path) -> PointSet:
    """Read vertices and triangles of an OFF file; polygons become fans, and a header without a line break is mended.

    Raises:
        InputError: no OFF file, or one that breaks off.
    """
    words = _text(path).split()
    if not words or not words[0].upper().startswith("OFF"):
        raise InputError(f"'{path}' begins with {' '.join(words[:1])!r}; expected OFF.")
    words = ([words[0][3:]] if len(words[0]) > 3 else []) + words[1:]  # ModelNet: "OFF490 518 0"
    try:
        count, faces = int(words[0]), int(words[1])
        place = np.array(words[3 : 3 + 3 * count], np.float64).reshape(count, 3)
        triangles, at = [], 3 + 3 * count
        for _ in range(faces):
            k = int(words[at])
            corner = [int(v) for v in words[at + 1 : at + 1 + k]]
            triangles += [(corner[0], corner[i], corner[i + 1]) for i in range(1, k - 1)]
            at += 1 + k
        found = np.array(triangles, np.int64).reshape(-1, 3)
        if len(found) and not (found.min() >= 0 and found.max() < count):
            raise ValueError(f"a face has vertex {found.max()} of {count}")
    except (ValueError, IndexError) as e:
        raise InputError(f"'{path}' does not hold what its header says ({e}); expected an OFF file.") from None
    return PointSet(place, faces=found if len(found) else None)


def read_csv(path: Path) -> PointSet:
    """Read a table of numbers with a header: columns x, y and perhaps z; all others are features.

    Raises:
        InputError: no such columns, or cells that are no numbers.
    """
    lines = [line for line in _text(path).splitlines() if line.strip()]
    names = [w.strip().lower() for w in lines[0].split(",")] if lines else []
    axes = [a for a in "xyz" if a in names]
    if axes not in (["x", "y"], ["x", "y", "z"]) or len(lines) < 2:
        raise InputError(f"'{path}' has the columns {names} and {len(lines) - 1} rows; expected x, y and perhaps z.")
    try:
        table = np.array([[float(v) for v in line.split(",")] for line in lines[1:]], np.float64)
    except ValueError as e:
        raise InputError(f"'{path}' has cells that are no numbers ({e}); expected a table of numbers.") from None
    rest = [k for k, name in enumerate(names) if name not in axes]
    return PointSet(table[:, [names.index(a) for a in axes]], features=table[:, rest] if rest else None)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise InputError(f"'{path}' cannot be read ({e.strerror}); expected a file of points. Mend the path.") from None


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8")
    except UnicodeDecodeError as e:
        raise InputError(f"'{path}' is no text ({e.reason}); expected a file of points. Mend the path.") from None
