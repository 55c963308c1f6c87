"""What can go wrong on the way to the hub, in one line each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steerable.data.errors import InputError


@contextmanager
def one_line(name: str | Path, what: str) -> Iterator[None]:
    """Turn the errors of huggingface_hub into an :class:`InputError`.

    Args:
        name: of the model.
        what: what was tried, such as ``cannot be loaded``.

    Raises:
        InputError: naming the model and the mend.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except HFValidationError:
        raise InputError(
            f"'{name}' {what}: it is no folder, and no name of the hub; expected FOLDER or USER/NAME. Mend it."
        ) from None
    except OfflineModeIsEnabled:
        raise InputError(f"'{name}' {what}: HF_HUB_OFFLINE is set; expected a connection. Unset it.") from None
    except LocalEntryNotFoundError:
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        raise InputError(
            f"'{name}' {what}: it is no folder, {why}, and it is not among the models that were downloaded before. "
            "Mend the name, or go online."
        ) from None
    except GatedRepoError:
        raise InputError(f"'{name}' {what}: its owner grants access on request. Ask on its page, then `hf auth login`.") from None
    except RevisionNotFoundError:
        raise InputError(f"'{name}' {what}: the hub has no such revision of it. Mend `revision`.") from None
    except RepositoryNotFoundError:
        raise InputError(
            f"'{name}' {what}: the hub has no such model, or you may not see it. Mend the name, or run `hf auth login`."
        ) from None
    except EntryNotFoundError:
        raise InputError(
            f"'{name}' {what}: the hub has it, but steerable did not write it (a file is missing). Name another model."
        ) from None
    except InputError:
        raise
    except OSError as e:  # every error of the connection and of its answers
        first = (str(e).splitlines() or [type(e).__name__])[0]
        raise InputError(f"'{name}' {what}: {first}. Check the connection and `hf auth whoami`.") from None
