"""Whether an expression of time in a line of quick add is a part of something longer that is not understood."""

import re

from taskmanager.features.quick_add.vocabulary import DAY, MONTH, SHORT_DAY

# Words that show that what stands behind them is a part of something else.
_BEFORE = """
    not no since until till til before after from except excluding without last past between through thru than of to for
    the a an my our your their every every! each other starting ending beginning around about or - \u2013 / within
    during next this on by at in
"""
# The same of what stands before them.
_BEHIND = """
    ago later other until till til except excluding through thru starting ending beginning since off am pm o'clock times
    time onwards
"""
# These link what stands before them only to other words of time.
_LINKS = """
    and or to - \u2013 & / but on at in for from of before after by between the every each next last this
"""
_LEADING, _FOLLOWING, _LINKING = (frozenset(words.split()) for words in (_BEFORE, _BEHIND, _LINKS))
_PERIOD = r"(?:day|week|weekend|weekday|workday|month|year|hour|hr|minute|min|second|quarter|fortnight)s?"
_PART = r"morning|afternoon|evening|night|noon|midnight|today|tomorrow|tonight|yesterday"
_ADJACENT = re.compile(rf"(?:(?:{DAY})s?|{_PERIOD}|{_PART})", re.IGNORECASE)
_SECOND_DAY = frozenset({"today", "tomorrow", "tonight"})  # a second one stays in the title, and the first is taken
_NUMBER = r"[0-9]+|one|two|three|four|five|six|seven|eight|nine|ten|an?|half|couple|few"
_TEMPORAL = (
    rf"(?:{SHORT_DAY})s?|{MONTH}|{_PERIOD}|{_PART}|every!?|each|[0-9]{{1,2}}:[0-9]{{2}}\S*|[0-9]{{1,2}}(?:am|pm)"
    r"|[0-9]{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|last|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{1,2}\.[0-9]{1,2}\.\S*"
)
_OF_TIME = re.compile(_TEMPORAL, re.IGNORECASE)
_UNREAD = re.compile(
    rf"(?<!\S)(?:(?:every!?|each)\s+(?:\S+\s+){{0,2}}?(?:{_TEMPORAL}|[0-9]+)(?!\w)"
    r"|(?:hour|biweek|bimonth|semiweek)ly(?!\S))",
    re.IGNORECASE,
)


def is_unread(line: str) -> bool:
    """Return whether a line has a repetition that was not understood."""
    return _UNREAD.search(line) is not None


def stands_alone(before: str, behind: str) -> bool:
    """Return whether nothing on either side of an expression shows that it is a part of something else."""
    return not (_leads_to_it(_words(before)[-2:]) or _goes_on(_words(behind)[:4]))


def _words(text: str) -> list[str]:
    words = [word.rstrip(",.") for word in text.lower().split()]
    return [word for word in words if word]


def _leads_to_it(words: list[str]) -> bool:
    if not words or words == ["a"]:  # an article leads from somewhere
        return False
    linked = words[-1] in ("and", "&") and len(words) > 1 and _OF_TIME.fullmatch(words[0])
    return bool(words[-1] in _LEADING or _ADJACENT.fullmatch(words[-1]) or linked)


def _goes_on(words: list[str]) -> bool:
    if not words:
        return False
    if words[0] in _FOLLOWING or words[1:2] == ["times"]:
        return True
    if _ADJACENT.fullmatch(words[0]):
        return words[0] not in _SECOND_DAY
    rest = [word for word in words if word not in _LINKING] if words[0] in _LINKING else []
    counted = len(rest) > 1 and re.fullmatch(_NUMBER, rest[0]) and _ADJACENT.fullmatch(rest[1])
    return bool(counted or (rest and _OF_TIME.fullmatch(rest[0])))
