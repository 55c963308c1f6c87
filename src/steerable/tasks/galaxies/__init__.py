"""Galaxy Zoo: what would volunteers say of this galaxy?"""

from __future__ import annotations
