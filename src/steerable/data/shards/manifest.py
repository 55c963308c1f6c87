"""The manifest: what a data set says of itself, checked before a row is read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from steerable.data.errors import InputError, did_you_mean
from steerable.data.shards.columns import Column
from steerable.data.shards.partial import MANIFEST, partial_folder
from steerable.data.shards.plan import FORMAT, VERSION

_KEYS = {
    "description": str,
    "seed": int,
    "parameters": dict,
    "parts": list,
    "rows_per_shard": int,
    "columns": list,
    "versions": dict,
    "shards": list,
}
_SHARD_KEYS = {"path": str, "part": str, "rows": int, "bytes": int, "sha256": str}
_AGAIN = "Make the data again."


@dataclasses.dataclass(frozen=True)
class ShardFile:
    """One shard as the manifest promises it: path below the folder, part, rows, bytes and checksum."""

    path: str
    part: str
    rows: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a data set says of itself.

    Attributes:
        root: its folder.
        description: a few words for people.
        seed: the seed of its rows.
        parameters: what else made them.
        parts: rows of each part, by name.
        columns: what a row holds.
        versions: what computed it.
        shards: its files, in order.
        raw: all of manifest.json.
    """

    root: Path
    description: str
    seed: int
    parameters: dict[str, Any]
    parts: dict[str, int]
    columns: dict[str, Column]
    versions: dict[str, str]
    shards: tuple[ShardFile, ...]
    raw: dict[str, Any]

    def of(self, part: str) -> tuple[ShardFile, ...]:
        """The shards of one part."""
        return tuple(shard for shard in self.shards if shard.part == part)

    def open(self, shard: ShardFile, verify: bool = True) -> Any:
        """Arrow buffer on the bytes of a shard, mapped into memory.

        Raises:
            InputError: it is absent, has another size or, with `verify`, another checksum.
        """
        import hashlib

        import pyarrow as pa

        path = self.root / shard.path
        if not path.is_file():
            raise InputError(f"'{path}' does not exist; expected a shard of {shard.rows} rows. {_AGAIN}")
        try:
            size = path.stat().st_size
            if size != shard.bytes:
                raise InputError(
                    f"'{path}' has {size} bytes; {MANIFEST} promises {shard.bytes}: it was cut or changed. {_AGAIN}"
                )
            data = pa.memory_map(str(path)).read_buffer()
        except OSError as e:
            raise InputError(f"'{path}' cannot be read ({e.strerror or e}); expected a shard. Mend that.") from None
        if verify and (found := hashlib.sha256(data).hexdigest()) != shard.sha256:
            raise InputError(
                f"'{path}' has sha256 {found[:12]}..., {MANIFEST} promises {shard.sha256[:12]}...: it was changed. "
                f"{_AGAIN}"
            )
        return data

    def check_files(self, part: str) -> None:
        """Refuse files in the folder of a part that the manifest does not list: other readers would take them in.

        Raises:
            InputError: naming the first.
        """
        known = {shard.path for shard in self.of(part)}
        folder = self.root / part
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if f"{part}/{path.name}" not in known and not path.name.startswith("."):
                raise InputError(f"'{path}' is not in {MANIFEST}; expected its {len(known)} shards only. Remove it.")

    def check(self) -> None:
        """Check every shard against its checksum, without reading rows.

        Raises:
            InputError: a shard is absent or changed, a file does not belong.
        """
        for part in self.parts:
            self.check_files(part)
        for shard in self.shards:
            self.open(shard)


def read_manifest(folder: str | Path) -> Manifest:
    """Read and check FOLDER/manifest.json.

    Raises:
        InputError: absent, no JSON, foreign, of another version, incomplete, or not consistent.
    """
    root = Path(folder)
    path = root / MANIFEST
    raw = _json(path)
    if raw.get("format") != FORMAT:
        raise InputError(f"'{path}' has format {raw.get('format')!r}; expected {FORMAT!r}. Is this the right folder?")
    if raw.get("version") != VERSION:
        raise InputError(
            f"'{path}' has version {raw.get('version')!r}; this steerable reads version {VERSION}. Make the data "
            "again, or use the steerable that made it."
        )
    _check_keys(raw, _KEYS, f"'{path}'")
    for i, shard in enumerate(raw["shards"]):
        _check_keys(shard, _SHARD_KEYS, f"'{path}': shard {i}")
    try:
        parts = {str(p["name"]): int(p["rows"]) for p in raw["parts"]}
        columns = {
            str(c["name"]): Column(c["dtype"], tuple(c["shape"]), bool(c.get("finite", True))) for c in raw["columns"]
        }
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f"'{path}': parts or columns are not as expected ({e}). {_AGAIN}") from None
    shards = tuple(ShardFile(**{key: shard[key] for key in _SHARD_KEYS}) for shard in raw["shards"])
    for shard in shards:
        if shard.path != f"{shard.part}/{Path(shard.path).name}" or shard.part not in parts:
            raise InputError(f"'{path}': a shard lies at '{shard.path}'; expected it below {list(parts)}. {_AGAIN}")
    for part, rows in parts.items():
        found = sum(shard.rows for shard in shards if shard.part == part)
        if found != rows:
            raise InputError(f"'{path}': the shards of '{part}' have {found} rows; expected {rows}. {_AGAIN}")
    plain = {key: raw[key] for key in ("description", "seed", "parameters", "versions")}
    return Manifest(root=root, parts=parts, columns=columns, shards=shards, raw=raw, **plain)


def find_part(folder: str | Path) -> tuple[Manifest, str]:
    """The manifest and the part that `folder` names: SET/PART, or SET where it has one part only.

    Raises:
        InputError: no data set, no such part, or several parts to choose from; what `read_manifest` refuses.
    """
    folder = Path(folder)
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        if len(manifest.parts) == 1:
            return manifest, next(iter(manifest.parts))
        names = list(manifest.parts)
        raise InputError(f"'{folder}' has the parts {names}; expected one of them. Say '{folder / names[0]}'.")
    if (folder.parent / MANIFEST).is_file():
        manifest = read_manifest(folder.parent)
        if folder.name in manifest.parts:
            return manifest, folder.name
        names = list(manifest.parts)
        raise InputError(
            f"'{folder.parent}' has no part '{folder.name}'; expected one of {names}.{did_you_mean(folder.name, names)}"
        )
    for part_of in (folder, folder.parent):
        if partial_folder(part_of).is_dir():
            raise InputError(
                f"'{part_of}' is not finished: '{partial_folder(part_of)}' is there; expected a whole data set. Run "
                "the command that makes it again: it continues."
            )
    raise InputError(
        f"'{folder}' does not exist or has no {MANIFEST} in it or beside it; expected a data set of Parquet shards."
    )


def check_columns(manifest: Manifest, columns: list[str] | tuple[str, ...] | None) -> list[str]:
    """The chosen columns, all where None is given.

    Raises:
        InputError: a column that there is not.
    """
    names = list(manifest.columns)
    for name in columns or ():
        if name not in names:
            hint = did_you_mean(name, names)
            raise InputError(f"'{manifest.root}' has no column '{name}'; expected one of {', '.join(names)}.{hint}")
    return names if columns is None else list(columns)


def _json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"'{path}' does not exist; expected the manifest of a data set. Mend the path.") from None
    except OSError as e:
        raise InputError(f"'{path}' cannot be read ({e.strerror or e}); expected a manifest. Mend the path.") from None
    except ValueError as e:
        raise InputError(f"'{path}' is not JSON ({e}); expected a manifest. {_AGAIN}") from None
    if not isinstance(raw, dict):
        raise InputError(f"'{path}' holds a {type(raw).__name__}; expected a manifest. {_AGAIN}")
    return raw


def _check_keys(found: Any, keys: dict[str, type], where: str) -> None:
    if not isinstance(found, dict):
        raise InputError(f"{where} is a {type(found).__name__}; expected an object with {list(keys)}. {_AGAIN}")
    for key, kind in keys.items():
        if key not in found:
            raise InputError(f"{where} lacks the key '{key}'; expected {list(keys)}. {_AGAIN}")
        if not isinstance(found[key], kind) or isinstance(found[key], bool):
            raise InputError(f"{where}: '{key}' is a {type(found[key]).__name__}; expected {kind.__name__}. {_AGAIN}")
