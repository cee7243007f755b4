"""Detect that an expression of time in a line of quick add is a part of a longer expression that is not supported."""

import re

from taskmanager.features.quick_add.vocabulary import DAY, MONTH, SHORT_DAY

# Words before an expression that show that it is a part of a longer one.
_WORDS_BEFORE = """
    not no since until till til before after from except excluding without last past between through thru than of to for
    the a an my our your their every every! each other starting ending beginning around about or - \u2013 / within
    during next this on by at in
"""
# Words after an expression that show the same.
_WORDS_AFTER = """
    ago later other until till til except excluding through thru starting ending beginning since off am pm o'clock times
    time onwards
"""
# Words that show the same only between two words of time.
_LINKING_WORDS = """
    and or to - \u2013 & / but on at in for from of before after by between the every each next last this
"""
_LEADING, _FOLLOWING, _LINKING = (frozenset(words.split()) for words in (_WORDS_BEFORE, _WORDS_AFTER, _LINKING_WORDS))
_PERIOD = r"(?:day|week|weekend|weekday|workday|month|year|hour|hr|minute|min|second|quarter|fortnight)s?"
_PART = r"morning|afternoon|evening|night|noon|midnight|today|tomorrow|tonight|yesterday"
_ADJACENT = re.compile(rf"(?:(?:{DAY})s?|{_PERIOD}|{_PART})", re.IGNORECASE)
_SECOND_DAY = frozenset({"today", "tomorrow", "tonight"})  # these stay in the title after another expression
_NUMBER = r"[0-9]+|one|two|three|four|five|six|seven|eight|nine|ten|an?|half|couple|few"
_TEMPORAL = (
    rf"(?:{SHORT_DAY})s?|{MONTH}|{_PERIOD}|{_PART}|every!?|each|[0-9]{{1,2}}:[0-9]{{2}}\S*|[0-9]{{1,2}}(?:am|pm)"
    r"|[0-9]{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|last|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{1,2}\.[0-9]{1,2}\.\S*"
)
_TEMPORAL_WORD = re.compile(_TEMPORAL, re.IGNORECASE)
_UNSUPPORTED = re.compile(
    rf"(?<!\S)(?:(?:every!?|each)\s+(?:\S+\s+){{0,2}}?(?:{_TEMPORAL}|[0-9]+)(?!\w)"
    r"|(?:hour|biweek|bimonth|semiweek)ly(?!\S))",
    re.IGNORECASE,
)


def has_unsupported_recurrence(line: str) -> bool:
    """Return whether a line has a recurrence that is not supported."""
    return _UNSUPPORTED.search(line) is not None


def is_complete(before: str, after: str) -> bool:
    """Return whether the words before and after an expression do not show that it is a part of a longer one."""
    return not (_continues_into(_words(before)[-2:]) or _continues_with(_words(after)[:4]))


def _words(text: str) -> list[str]:
    words = [word.rstrip(",.") for word in text.lower().split()]
    return [word for word in words if word]


def _continues_into(words: list[str]) -> bool:
    if not words or words == ["a"]:  # an article alone, at the beginning of the line
        return False
    linked = words[-1] in ("and", "&") and len(words) > 1 and _TEMPORAL_WORD.fullmatch(words[0])
    return bool(words[-1] in _LEADING or _ADJACENT.fullmatch(words[-1]) or linked)


def _continues_with(words: list[str]) -> bool:
    if not words:
        return False
    if words[0] in _FOLLOWING or words[1:2] == ["times"]:
        return True
    if _ADJACENT.fullmatch(words[0]):
        return words[0] not in _SECOND_DAY
    rest = [word for word in words if word not in _LINKING] if words[0] in _LINKING else []
    counted = len(rest) > 1 and re.fullmatch(_NUMBER, rest[0]) and _ADJACENT.fullmatch(rest[1])
    return bool(counted or (rest and _TEMPORAL_WORD.fullmatch(rest[0])))
