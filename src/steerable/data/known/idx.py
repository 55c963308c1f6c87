"""The idx format of MNIST: a magic number, the sizes, then bytes (described on the page of MNIST)."""

from __future__ import annotations

import numpy as np

from steerable.data.known.source import Source

BYTES = 0x08  # the code of unsigned bytes


def read_idx(content: bytes, axes: int, source: Source, name: str) -> np.ndarray:
    """Return uint8 ``[N]`` or ``[N, H, W]``.

    Args:
        content: the unpacked file.
        axes: how many axes it should have.
        source: of the file, for messages.
        name: of the file.

    Raises:
        InputError: another magic number, type or number of axes, or fewer or more bytes than the header says.
    """
    if len(content) < 4 or content[0] or content[1] or content[2] != BYTES or content[3] != axes:
        raise source.wrong(
            f"{name} begins with {content[:4].hex(' ') or 'nothing'}; expected 00 00 08 {axes:02x}, an idx file"
        )
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", axes, 4)) if len(content) >= 4 + 4 * axes else (0,)
    body = len(content) - 4 - 4 * axes
    if body != int(np.prod(shape, dtype=np.int64)) or 0 in shape:
        raise source.wrong(f"{name} has {body} bytes after a header of {list(shape)}; expected as many as that says")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
