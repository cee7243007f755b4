"""Fractional index keys for manual ordering: between any two keys there is another, so a move writes one row.

A key is an integer part, whose first character encodes its length, and optionally a fraction. Keys are compared as
text. The format is that of "Implementing Fractional Indexing" (David Greenspan, 2020), in base 62.
"""

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE = len(DIGITS)
_POSITIVE, _NEGATIVE = DIGITS[36:], DIGITS[10:36][::-1]  # a: one digit, b: two, …; Z: one digit below zero, Y: two, …


def at(number: int) -> str:
    """Return the key of an integer; greater integers have later keys. Raises OverflowError."""
    heads, rest = (_POSITIVE, number) if number >= 0 else (_NEGATIVE, -number - 1)
    for length, head in enumerate(heads, start=1):
        if rest < _BASE**length:
            return head + _digits(rest if number >= 0 else _BASE**length - 1 - rest, length)
        rest -= _BASE**length
    raise OverflowError(number)


def between(before: str | None, after: str | None) -> str:
    """Return a key that comes after `before` and before `after`; None means that there is no such neighbour.

    Raises ValueError unless `before` comes before `after`.
    """
    if before is None:
        return at(0) if after is None else _lower(after)
    whole = number_of(before)
    if after is None:
        return at(whole + 1)
    if before >= after:
        raise ValueError(f"{before!r} does not come before {after!r}")
    if number_of(after) - whole > 1:
        return at(whole + 1)
    head = at(whole)
    if number_of(after) == whole:
        return head + _middle(before[len(head) :], after[len(head) :])
    following = at(whole + 1)
    return following if following < after else head + _middle(before[len(head) :], None)


def number_of(key: str) -> int:
    """Return the integer part of a key."""
    head = key[0]
    length = (_POSITIVE if head in _POSITIVE else _NEGATIVE).index(head) + 1
    shorter = sum(_BASE**less for less in range(1, length))
    value = 0
    for digit in key[1 : length + 1]:
        value = value * _BASE + DIGITS.index(digit)
    return shorter + value if head in _POSITIVE else -shorter - (_BASE**length - 1 - value) - 1


def _lower(after: str) -> str:
    whole = at(number_of(after))
    return whole if whole < after else at(number_of(after) - 1)


def _middle(low: str, high: str | None) -> str:
    """Return a fraction between two others; None means 1. No fraction ends in 0, so there is always one below it."""
    shared = 0
    while high is not None and (low[shared : shared + 1] or "0") == high[shared : shared + 1]:
        shared += 1
    if shared:
        return (high or "")[:shared] + _middle(low[shared:], (high or "")[shared:])
    first = DIGITS.index(low[0]) if low else 0
    last = DIGITS.index(high[0]) if high else _BASE
    if last - first > 1:
        return DIGITS[(first + last) // 2]
    if high and len(high) > 1:
        return high[0]
    return DIGITS[first] + _middle(low[1:], None)


def _digits(value: int, length: int) -> str:
    found = ""
    for _ in range(length):
        value, rest = divmod(value, _BASE)
        found = DIGITS[rest] + found
    return found
