"""Samplings by name, as configurations write them."""

from __future__ import annotations

import re

from steerable.domains.sphere.sphere import Sphere

_EXAMPLES = {
    "gauss": "gauss(32)",
    "equiangular": "equiangular(nlat=181, kind=cc)",
    "healpix": "healpix(16, nested)",
    "icosahedral": "icosahedral(4)",
    "fibonacci": "fibonacci(1000)",
}
_NAMES = tuple(_EXAMPLES)


def parse_sphere(text: str | Sphere) -> Sphere:
    """``"gauss(32)"``, ``"healpix(16, nested)"``, ``"icosahedral(4)"``, ``"equiangular(32, mw)"``, ``"fibonacci(99)"``.

    Every layer and model of the sphere reads its samplings by it.

    Args:
        text: the name of a constructor of :class:`Sphere` and its arguments, ``key=value`` for named ones; or a
            sampling, which is returned as it is.

    Raises:
        ValueError: naming what is known.
    """
    if isinstance(text, Sphere):
        return text
    if not isinstance(text, str):
        raise ValueError(
            f"sphere is {text!r}, of the type {type(text).__name__}; expected a sampling such as "
            "steerable.Sphere.gauss(32), or its name, such as 'gauss(32)'"
        )
    found = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text)
    if not found or found[1] not in _NAMES:
        raise ValueError(
            f"sphere is {text!r}; expected one of {', '.join(_NAMES)} with its size, such as 'gauss(32)' or "
            f"'healpix(16, nested)'"
        )
    arguments: list[int | str] = []
    named: dict[str, int | float | str | bool] = {}
    for part in filter(None, (p.strip() for p in found[2].split(","))):
        key, _, value = part.rpartition("=")
        if part == "nested":
            named["nested"] = True
        elif key:
            named[key.strip()] = _number(value.strip())
        elif part.lstrip("-").isdigit() or part.isidentifier():
            arguments.append(int(part) if part.lstrip("-").isdigit() else part)
        else:
            raise ValueError(
                f"sphere is {text!r}: {part!r} is neither a whole number nor a word; see steerable.Sphere.{found[1]}, "
                f"expected such as '{_EXAMPLES[found[1]]}'"
            )
    try:
        return getattr(Sphere, found[1])(*arguments, **named)
    except TypeError as error:
        raise ValueError(
            f"sphere is {text!r}, which steerable.Sphere.{found[1]} does not take ({error}); expected such as "
            f"'{_EXAMPLES[found[1]]}'"
        ) from error


def _number(value: str) -> int | float | str | bool:
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
