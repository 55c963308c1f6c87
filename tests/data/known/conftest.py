"""What the tests of published sets share."""

from __future__ import annotations

import pytest


@pytest.fixture
def h5py():
    """The package, or a skip."""
    return pytest.importorskip("h5py")
