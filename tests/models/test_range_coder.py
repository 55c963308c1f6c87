"""The arithmetic coder: what goes in comes out, in as many bytes as the frequencies say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerable.models.range_coder import PRECISION, FrequencyTable, RangeDecoder, RangeEncoder


def there_and_back(symbols, tables):
    coder = RangeEncoder()
    coder.encode(symbols, tables)
    data = coder.finish()
    return data, RangeDecoder(data).decode(tables)


@given(
    st.lists(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=9), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-12, 12) | st.integers(-(2**31), 2**31)), max_size=60),
)
def test_any_integers_come_back(weights, picks):
    tables = [FrequencyTable.of(-3, [w / sum(row) for w in row]) for row in weights]
    symbols, used = [s for _, s in picks], [tables[k % len(tables)] for k, _ in picks]
    assert there_and_back(symbols, used)[1] == symbols


@pytest.mark.parametrize("often", [0.5, 0.9, 0.999, 1.0])
def test_length_is_the_entropy(often):
    g = np.random.default_rng(0)
    masses = [often, *[(1 - often) / 7] * 7]
    symbols = g.choice(8, 20000, p=masses).tolist()
    table = FrequencyTable.of(0, masses)
    counts = np.diff(table.cumulative)
    wanted = -sum(math.log2(counts[s] / 2**PRECISION) for s in symbols)
    data, found = there_and_back(symbols, [table] * len(symbols))
    assert found == symbols and -8 <= 8 * len(data) - wanted <= 8 + 1e-6 * wanted


def test_carries_run_through_full_bytes():
    """The last of many symbols again and again: the interval sticks to its upper end."""
    table = FrequencyTable.of(0, [0.01, 0.99])
    symbols = [1] * 5000 + [0] * 3 + [1] * 5000
    assert there_and_back(symbols, [table] * len(symbols))[1] == symbols


def test_another_table_does_not_decode():
    one, other = FrequencyTable.of(0, [0.6, 0.4]), FrequencyTable.of(0, [0.59, 0.41])
    symbols = [0, 1, 1, 0] * 100
    coder = RangeEncoder()
    coder.encode(symbols, [one] * 400)
    assert RangeDecoder(coder.finish()).decode([one] * 400) == symbols
    try:
        assert RangeDecoder(coder.finish()).decode([other] * 400) != symbols
    except ValueError as e:  # it may also run into an escape that never ends
        assert "same tables" in str(e)


def test_same_bytes_every_time():
    table = FrequencyTable.of(-1, [0.25, 0.5, 0.2])
    assert table.cumulative == (0, 16384, 49152, 62259, 65536)
    data, _ = there_and_back([0, 1, -1, 0, 0, 5, -7], [table] * 7)
    assert data.hex() == "a3f0983d"


@pytest.mark.parametrize("masses", [[-0.1, 0.5], [0.9, 0.9], [1e-6] * 40000])
def test_no_table_of_these(masses):
    with pytest.raises(ValueError, match="expected none below 0"):
        FrequencyTable.of(0, masses)


def test_finishing_changes_nothing():
    table = FrequencyTable.of(0, [0.01, 0.99])
    coder = RangeEncoder()
    coder.encode([1] * 300, [table] * 300)
    first = coder.finish()
    assert coder.finish() == first
    coder.encode([0, 1], [table] * 2)
    assert RangeDecoder(coder.finish()).decode([table] * 302) == [1] * 300 + [0, 1]


@pytest.mark.parametrize("symbol", [2**39, -(2**39), 2**62, -(2**63)])
def test_what_cannot_be_read_is_not_written(symbol):
    """The smallest int64 is what a latent that is not finite becomes."""
    table = FrequencyTable.of(-3, [0.1] * 7)
    for near in (2**38, -(2**38)):
        assert there_and_back([near], [table])[1] == [near]
    if abs(symbol) > 2**39:
        with pytest.raises(ValueError, match=f"the integer {symbol}; expected one within about"):
            RangeEncoder().encode([symbol], [table])
    else:
        assert there_and_back([symbol], [table])[1] == [symbol]


def test_tables_at_their_limits():
    assert there_and_back([], []) == (b"", [])
    most = (2**PRECISION - 1) // 2
    for masses in ([], [0.0], [1.0], [0.0, 1.0], [1e-12] * most):
        table = FrequencyTable.of(0, masses)
        symbols = [0, 1, -1, len(masses) - 1, len(masses), 2**31] * 20
        assert there_and_back(symbols, [table] * len(symbols))[1] == symbols
    with pytest.raises(ValueError, match=f"at most {most} of them"):
        FrequencyTable.of(0, [0.0] * (most + 1))
    with pytest.raises(ValueError, match="expected none below 0"):
        FrequencyTable.of(0, [math.nan])
