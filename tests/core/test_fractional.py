"""Keys by hand: there is always room between two, and they stay in order and short."""

import pytest
from hypothesis import given, strategies as st

from taskmanager.core import fractional


@given(st.lists(st.integers(-(10**6), 10**15), min_size=2, unique=True))
def test_keys_of_numbers_sort_as_the_numbers(numbers):
    keys = [fractional.at(number) for number in sorted(numbers)]
    assert keys == sorted(keys)
    assert [fractional.number_of(key) for key in keys] == sorted(numbers)


@given(st.lists(st.integers(0, 10**6), max_size=200))
def test_inserting_anywhere_keeps_the_order(places):
    keys = [fractional.at(1)]
    for place in places:
        index = place % (len(keys) + 1)
        before, after = keys[index - 1] if index else None, keys[index] if index < len(keys) else None
        keys.insert(index, fractional.between(before, after))
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("end", ["first", "last"])
def test_a_thousand_moves_to_one_end_keep_keys_short(end):
    key = fractional.at(1)
    for _ in range(1000):
        key = fractional.between(None, key) if end == "first" else fractional.between(key, None)
    assert len(key) <= 4


@pytest.mark.parametrize(("before", "after"), [("a1", "a1"), ("a2", "a1"), ("a1V", "a1F")])
def test_keys_in_the_wrong_order_are_refused(before, after):
    with pytest.raises(ValueError, match="does not come before"):
        fractional.between(before, after)
