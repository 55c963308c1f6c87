"""From a YAML file to a plan."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path
from typing import Any

from steerable.data.errors import InputError, did_you_mean
from steerable.run.compare.plan import Plan


def packaged_plans() -> dict[str, Path]:
    """Return the plans that come with the package, by name."""
    folder = Path(str(resources.files("steerable.run") / "plans"))
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in sorted(folder.rglob("*.yaml"))}


def read_plan(name: str, out: str | None = None, root: str | None = None) -> Plan:
    """Read a plan.

    Args:
        name: a YAML file, or the name of a plan that comes with the package.
        out: in place of its own folder.
        root: in place of ``base.data.root``.

    Raises:
        InputError: no such plan, no YAML, unknown keys.
    """
    import yaml

    plans = packaged_plans()
    path = Path(name) if Path(name).is_file() else plans.get(name)
    if path is None:
        raise InputError(
            f"'{name}' is no file and no packaged plan; expected a path or one of {', '.join(plans)}."
            f"{did_you_mean(name, plans)}"
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise InputError(f"'{path}' is no YAML ({' '.join(str(e).split())}); expected a plan. Mend the file.") from None
    keys = [f.name for f in dataclasses.fields(Plan)]
    if not isinstance(values, dict):
        raise InputError(f"'{path}' holds a {type(values).__name__}; expected the keys {', '.join(keys)}.")
    for key, value in values.items():
        if key not in keys:
            raise InputError(f"'{path}': there is no key '{key}'; expected {', '.join(keys)}.{did_you_mean(key, keys)}")
        kind = type(getattr(Plan(networks={"n": {}}), key))
        if not isinstance(value, kind) and not (key == "tuning_size" and isinstance(value, int | None)):
            raise InputError(f"'{path}': {key} is {value!r}; expected a {kind.__name__}. Mend the file.")
    plan: dict[str, Any] = dict(values)
    if out is not None:
        plan["out"] = out
    if root is not None:
        base = dict(plan.get("base") or {})
        plan["base"] = {**base, "data": {**base.get("data", {}), "root": root}}
    return Plan(**plan)
