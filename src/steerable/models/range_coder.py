"""Arithmetic coding with integers: symbols and their frequency tables to bytes, and back, the same on every machine."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: frequencies of a table sum to 2^PRECISION
PRECISION = 16
_TOP, _LOW = 1 << 56, 1 << 48
_ESCAPE_LIMIT = 40


class FrequencyTable(NamedTuple):
    """Frequencies of the integers from ``first`` on; the last one is of all others.

    Attributes:
        first: smallest integer that has a frequency of its own.
        cumulative: from 0 to ``2^PRECISION``, strictly rising; one more entry than there are frequencies.
    """

    first: int
    cumulative: tuple[int, ...]

    @classmethod
    def of(cls, first: int, masses: Sequence[float]) -> FrequencyTable:
        """The table of some probabilities; what they lack to 1 is that of all other integers.

        Raises:
            ValueError: for negative ones, more than 1 in all, or more than the table can tell apart.
        """
        room = (1 << PRECISION) - len(masses) - 1
        if room < len(masses) or not min(masses, default=0) >= 0 or not sum(masses) <= 1 + 1e-6:
            raise ValueError(
                f"FrequencyTable: {len(masses)} probabilities from {min(masses, default=0):.3g}, sum {sum(masses):.6g};"
                f" expected none below 0, a sum of at most 1, and at most {((1 << PRECISION) - 1) // 2} of them"
            )
        counts = [1 + int(m * room) for m in (*masses, max(0.0, 1.0 - sum(masses)))]
        counts[counts.index(max(counts))] += (1 << PRECISION) - sum(counts)
        cumulative = [0]
        for count in counts:
            cumulative.append(cumulative[-1] + count)
        return cls(first, tuple(cumulative))


class RangeEncoder:
    """Turns integers into bytes, of nearly ``-log2`` of their frequency in bits each.

    Source: Martin, "Range encoding: an algorithm for removing redundancy from a digitised message", 1979; carries are
    added to the bytes already written.
    """

    def __init__(self) -> None:
        self._bytes, self._low, self._size = bytearray(), 0, _TOP

    def encode(self, symbols: Iterable[int], tables: Iterable[FrequencyTable]) -> None:
        """Append integers, each by its own table; one without a frequency follows an escape, in Elias gamma code.

        Raises:
            ValueError: for an integer too far from its table for the decoder to take.
        """
        for symbol, (first, cumulative) in zip(symbols, tables, strict=True):
            k, last = symbol - first, len(cumulative) - 2
            if 0 <= k < last:
                self._push(cumulative[k], cumulative[k + 1] - cumulative[k], PRECISION)
                continue
            self._push(cumulative[last], cumulative[last + 1] - cumulative[last], PRECISION)
            beyond = 2 * (k - last) + 1 if k >= last else -2 * k
            if beyond.bit_length() - 1 > _ESCAPE_LIMIT:
                raise ValueError(
                    f"RangeEncoder: the integer {symbol}; expected one within about 2^{_ESCAPE_LIMIT - 1} of the table "
                    f"from {first} on. Latents so large, or not finite, are of a model that has diverged"
                )
            for bit in "0" * (beyond.bit_length() - 1) + f"{beyond:b}":
                self._push(int(bit), 1, 1)

    def _push(self, start: int, count: int, bits: int) -> None:
        unit = self._size >> bits
        self._low += unit * start
        self._size = unit * count
        while self._size < _LOW:
            self._carry()
            self._bytes.append(self._low >> 48)
            self._low = (self._low & (_LOW - 1)) << 8
            self._size <<= 8

    def _carry(self) -> None:
        if self._low >= _TOP:
            self._low -= _TOP
            place = len(self._bytes) - 1
            while self._bytes[place] == 255:
                self._bytes[place] = 0
                place -= 1
            self._bytes[place] += 1

    def finish(self) -> bytes:
        """All bytes up to here, as few as tell the interval; zeros at the end are left out. More may follow."""
        written, low = bytes(self._bytes), self._low
        self._low += _LOW - 1
        self._carry()
        found = (bytes(self._bytes) + bytes([self._low >> 48])).rstrip(b"\0")
        self._bytes, self._low = bytearray(written), low
        return found


class RangeDecoder:
    """The reverse of :class:`RangeEncoder`.

    Args:
        data: the bytes, all of them.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._next, self._size = data, 7, _TOP
        self._value = int.from_bytes(data[:7].ljust(7, b"\0"), "big")

    def decode(self, tables: Iterable[FrequencyTable]) -> list[int]:
        """The next integers, one for each table.

        Raises:
            ValueError: where the bytes are of no encoder.
        """
        found = []
        for first, cumulative in tables:
            k, last = self._pull(cumulative, PRECISION), len(cumulative) - 2
            if k < last:
                found.append(first + k)
                continue
            zeros = 0
            while self._pull((0, 1, 2), 1) == 0:
                zeros += 1
                if zeros > _ESCAPE_LIMIT:
                    raise ValueError(
                        f"RangeDecoder: an integer of more than {_ESCAPE_LIMIT} bits at byte {self._next}; expected "
                        "bytes of RangeEncoder with the same tables"
                    )
            beyond = 1
            for _ in range(zeros):
                beyond = 2 * beyond + self._pull((0, 1, 2), 1)
            found.append(first + (last + beyond // 2 if beyond % 2 else -(beyond // 2)))
        return found

    def _pull(self, cumulative: tuple[int, ...], bits: int) -> int:
        unit = self._size >> bits
        k = bisect_right(cumulative, min(self._value // unit, cumulative[-1] - 1)) - 1
        self._value -= unit * cumulative[k]
        self._size = unit * (cumulative[k + 1] - cumulative[k])
        while self._size < _LOW:
            byte = self._data[self._next] if self._next < len(self._data) else 0
            self._value = (self._value << 8) | byte
            self._size <<= 8
            self._next += 1
        return k
