"""Tables that several layers of one network share are worked out once while the network is built."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from torch import Tensor

T = TypeVar("T")

#: bytes of tables that are held while a network is built; the oldest go first
LIMIT = 1 << 30


class _Tables:
    """Results by key, with the tensors that the key names by identity, so that no other gets their place."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.found: OrderedDict[Hashable, tuple[Any, tuple[Tensor, ...], int]] = OrderedDict()

    def get(self, key: Hashable, tensors: tuple[Tensor, ...], make: Callable[[], Any]) -> Any:
        whole = (key, tuple(map(id, tensors)))
        if whole in self.found:
            self.found.move_to_end(whole)
            return self.found[whole][0]
        result = make()
        size = _bytes(result)
        if size <= self.limit:
            self.found[whole] = (result, tensors, size)
            self.size += size
        while self.size > self.limit:
            self.size -= self.found.popitem(last=False)[1][2]
        return result


_CURRENT: ContextVar[_Tables | None] = ContextVar("steerable_tables", default=None)


@contextmanager
def remembered(limit: int = LIMIT) -> Iterator[None]:
    """Within it, layers of the sphere with equal samplings, radius and functions work out their tables once.

    Nothing is held afterwards but what the layers hold. Models of the sphere are built within one; so may your own::

        with st.domains.remembered():
            net = st.nn.Sequential(*(st.nn.SphereConv(t, t, "healpix(32)", 0.2) for _ in range(9)))

    Args:
        limit: bytes that are held, at most.
    """
    if _CURRENT.get() is not None:  # the outer one holds them
        yield
        return
    token = _CURRENT.set(_Tables(limit))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def remember(key: Hashable, tensors: tuple[Tensor, ...], make: Callable[[], T]) -> T:
    """What `make` returns, or returned before within the same :func:`remembered`.

    Args:
        key: what the result depends on.
        tensors: and these, by identity: they are not changed afterwards.
        make: works it out; its tensors are not changed in place by anyone.
    """
    tables = _CURRENT.get()
    return make() if tables is None else tables.get(key, tensors, make)


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, tuple):
        return sum(map(_bytes, value))
    return sum(_bytes(getattr(value, f.name)) for f in fields(value)) if is_dataclass(value) else 0
