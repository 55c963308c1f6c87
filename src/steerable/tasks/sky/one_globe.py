"""Readers of views of one globe: what they have in common is declared and documented once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from steerable.data import Splits
from steerable.tasks.sky.views import Survey


def of_one_globe(**usual: Any) -> Callable[[Callable[..., Splits]], Callable[..., Splits]]:
    """Make a reader ``read(root, survey, ...)`` one whose options are its own and those of :meth:`Survey.of`.

    The signature and the docstring hold all of them, so ``data.options`` are checked and documented as of any reader.

    Args:
        **usual: defaults of the shared options, where they differ for this reader.
    """
    shared = inspect.signature(Survey.of).parameters

    def decorate(read: Callable[..., Splits]) -> Callable[..., Splits]:
        root, _, *own = inspect.signature(read).parameters.values()
        sampling, *rest = (p.replace(default=usual.get(name, p.default)) for name, p in shared.items())
        signature = inspect.Signature([root.replace(default=None), sampling, *own, *rest], return_annotation=Splits)

        @functools.wraps(read)
        def reader(*args: Any, **options: Any) -> Splits:
            given = signature.bind(*args, **options)
            given.apply_defaults()
            survey = Survey.of(**{name: given.arguments.pop(name) for name in shared})
            return read(given.arguments.pop("root"), survey, **given.arguments)

        reader.__signature__ = signature  # type: ignore[attr-defined]
        reader.__doc__ = _with_arguments(read.__doc__ or "", Survey.of.__doc__ or "")
        return reader

    return decorate


def _with_arguments(doc: str, shared: str) -> str:
    """The docstring of a reader, with the arguments of another after its own."""
    more = inspect.cleandoc(shared).partition("Args:\n")[2].partition("\n\n")[0]
    text, _, arguments = inspect.cleandoc(doc).partition("Args:\n")
    own, _, after = arguments.partition("\n\n")
    return f"{text}Args:\n{own}\n{more}\n\n{after}"
