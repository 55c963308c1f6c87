"""The one error that a person's input can cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something that a person gave cannot be used.

    The message is one line that says what was given, what was expected and how to mend it: the commands print it
    without a traceback and end with a non-zero exit status.
    """


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` when one of `known` is close to `given`, else an empty string."""
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""
