"""The kinds of fields that can be filtered by."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import DAY, HOUR_MINUTE, OFFSET, SECOND, later
from taskmanager.core.filters.nodes import Context, Named, Value
from taskmanager.core.querysets import Filter

_SAME = frozenset({"=", "!=", "in", "not in"})
_ORDERED = _SAME | {"<", "<=", ">", ">="}
_NULLABLE = frozenset({"is null", "is not null"})
_MONGO = {"=": "$eq", "!=": "$ne", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte", "in": "$in", "not in": "$nin"}


class _Plain:
    """Compares stored values as they are. What is not there is unlike everything, and neither more nor less."""

    operators = _SAME
    lowest: Any = None  # what no value is less than: "not null" is then one stretch of an index

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator in _NULLABLE:
            return _presence(stored, operator, self.lowest)
        return {stored: {_MONGO[operator]: values if operator in ("in", "not in") else values[0]}}


def _presence(stored: str, operator: str, lowest: Any) -> Filter:
    if operator == "is null":
        return {stored: {"$exists": False}}
    return {stored: {"$exists": True} if lowest is None else {"$gte": lowest}}


class OneOf(_Plain):
    """A word of a few."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def read(self, text: str) -> Value:
        if text not in self.words:
            raise ValueError(f"must be one of {', '.join(self.words)}.")
        return lambda context: text


class Key(_Plain):
    """A short name of something, such as a status: small letters, digits and `_`."""

    def read(self, text: str) -> Value:
        if not re.fullmatch("[a-z][a-z0-9_]{0,29}", text):
            raise ValueError("must be a short name in small letters.")
        return lambda context: text


class Ranked(_Plain):
    """A word of a few that have an order; its place in `words` is what is stored."""

    operators = _ORDERED

    def __init__(self, words: Sequence[str]) -> None:
        self.ranks: Mapping[str, int] = {word: rank for rank, word in enumerate(words)}

    def read(self, text: str) -> Value:
        if text not in self.ranks:
            raise ValueError(f"must be one of {', '.join(self.ranks)}.")
        return lambda context: self.ranks[text]


class Whole(_Plain):
    """A whole number."""

    operators = _ORDERED | _NULLABLE
    lowest = -(10**15)

    def read(self, text: str) -> Value:
        if not re.fullmatch(r"-?[0-9]{1,12}", text):
            raise ValueError("must be a whole number.")
        return lambda context: int(text)


_ID = re.compile("[0-9a-f]{24}")


class Reference(_Plain):
    """An id."""

    def read(self, text: str) -> Value:
        if not _ID.fullmatch(text):
            raise ValueError("must be an id.")
        return lambda context: ObjectId(text)


class MaybeReference(Reference):
    """An id, or none."""

    operators = _SAME | _NULLABLE
    lowest = ObjectId(b"\0" * 12)


class Person(Reference):
    """The id of an account, or `me`."""

    def read(self, text: str) -> Value:
        return (lambda context: context.user_id) if text == "me" else super().read(text)


class _Marks(_Plain):
    """Several ids, each as a mark: a letter, a colon and the id. Rows without any have the letter alone if `flagged`.
    All sorts of marks of a row stand in one list, because an index takes in one list only."""

    operators = _SAME | _NULLABLE

    def __init__(self, letter: str, *, flagged: bool = True) -> None:
        self.letter, self.flagged = letter, flagged

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator not in _NULLABLE:
            return super().query(stored, operator, [f"{self.letter}:{value}" for value in values])
        some = {"$elemMatch": {"$gte": f"{self.letter}:", "$lt": f"{self.letter};"}}
        if operator == "is not null":
            return {stored: some}
        return {stored: self.letter if self.flagged else {"$not": some}}


class People(_Marks):
    """Several accounts: `=` asks whether one is among them, `is null` whether there is none."""

    def read(self, text: str) -> Value:
        return Person().read(text)


class Words(_Plain):
    """Text: `~` asks whether it contains something, whatever the case."""

    operators = _SAME | _NULLABLE | {"~"}

    def read(self, text: str) -> Value:
        return lambda context: text

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator == "~":
            return {stored: {"$regex": re.escape(values[0]), "$options": "i"}}
        return super().query(stored, operator, values)


_MOMENT = re.compile(
    rf"(?:(?P<now>now)|(?P<today>today)|(?P<day>{DAY})(?P<time>T{HOUR_MINUTE}(?:{SECOND})?(?:Z|{OFFSET})?)?)"
    r"(?P<shifts>(?:[+-][0-9]{1,4}[mhdwMy])*)(?:/(?P<unit>[dwMy]))?"
)
_SHIFT = re.compile(r"([+-][0-9]{1,4})([mhdwMy])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MIN_YEAR, _MAX_YEAR = 100, 9000  # of what steps lead to: far enough from both ends of the calendar


_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


class Moment:
    """An instant: `2026-12-01T09:00Z`, `now+2h`; or a stretch of time: `2026-12-01`, `today-1d`, `now/w`.

    `=` asks whether the stored instant lies in a stretch; `<` is before it, `<=` not after it, and so on. A time
    without a zone is in that of the one who asks; a week begins on Monday. Values are pairs of the first instant and
    the one that follows the last; the second is None for an instant.
    """

    operators = _ORDERED | _NULLABLE

    def read(self, text: str) -> Value:
        match = _MOMENT.fullmatch(text)
        if match is None:
            raise ValueError("must be a day, a time, or like now, today, now+7d, today/w.")
        try:  # so that what lies off the calendar is refused here
            _stretch(match, datetime.now(UTC))
        except (OverflowError, ValueError):
            raise ValueError("is off the calendar.") from None
        return lambda context: _stretch(match, context.now)

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator in _NULLABLE:
            return _presence(stored, operator, _EARLIEST)
        if operator in ("!=", "not in"):
            return {"$nor": [self._within(stored, *value) for value in values]}
        if operator in ("=", "in"):
            return {"$or": [self._within(stored, *value) for value in values]}
        first, following = values[0]
        if following is None or operator in ("<", ">="):
            return {stored: {_MONGO[operator]: first}}
        return {stored: {"$lt" if operator == "<=" else "$gte": following}}

    def _within(self, stored: str, first: datetime, following: datetime | None) -> Filter:
        return {stored: {"$eq": first} if following is None else {"$gte": first, "$lt": following}}


class Label(_Marks):
    """Names of things that a row has several of, or their ids: `=` asks whether one of them is among these."""

    def __init__(self, letter: str, key: Callable[[str], str]) -> None:
        """`key` makes of a name what the one who asks looks it up by."""
        super().__init__(letter)
        self.key = key

    def read(self, text: str) -> Value:
        return (lambda context: [ObjectId(text)]) if _ID.fullmatch(text) else Named(self.key(text))

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        several = {"=": "in", "!=": "not in"}.get(operator, operator)  # one name may be that of several labels
        return super().query(stored, several, [item_id for value in values for item_id in value])


class Anything(_Plain):
    """A value whose type is not known here: text, a number, a day, true or false, an id or `me`, whichever fits."""

    operators = _ORDERED | _NULLABLE | {"~"}

    def read(self, text: str) -> Value:
        return lambda context: _readings(text, context)

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator in ("=", "in", "!=", "not in"):
            every = [reading for readings in values for reading in readings]
            return {stored: {"$in" if operator in ("=", "in") else "$nin": every}}
        if operator == "~":
            return {stored: {"$regex": re.escape(values[0][0]), "$options": "i"}}
        if operator in _NULLABLE:
            return super().query(stored, operator, values)
        return {stored: {_MONGO[operator]: values[0][-1]}}


def _readings(text: str, context: Context) -> list[Any]:
    """What a text can mean, the most special reading last; MongoDB compares values of one type only."""
    if text == "me" and context.user_id:
        return [text, str(context.user_id)]
    if text in ("true", "false"):
        return [text, text == "true"]
    if re.fullmatch(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?", text):
        return [text, float(text)]
    return [text]


def _stretch(match: re.Match[str], now: datetime) -> tuple[datetime, datetime | None]:
    start = _base(match, now)
    for amount, unit in _SHIFT.findall(match["shifts"]):
        start = _shifted(start, int(amount), unit)
    if not _MIN_YEAR <= start.year <= _MAX_YEAR:
        raise OverflowError
    whole_days = not (match["now"] or match["time"]) and not re.search("[mh]", match["shifts"])
    unit = match["unit"] or ("d" if whole_days else None)
    return (_begin(start, unit), _end(start, unit)) if unit else (_milliseconds(start), None)


def _shifted(moment: datetime, amount: int, unit: str) -> datetime:
    """Days, months and years are counted on the calendar, hours on the clock that knows no summer time.

    The 31st of a shorter month is its last day.
    """
    if unit in "My":
        return later(moment, months=amount * (12 if unit == "y" else 1))
    step = timedelta(**{_UNITS[unit]: amount})
    return moment + step if unit in "dw" else (moment.astimezone(UTC) + step).astimezone(moment.tzinfo)


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _base(match: re.Match[str], now: datetime) -> datetime:
    if match["now"]:
        return now
    if match["today"]:
        return _begin(now, "d")
    if not match["time"]:
        return datetime.combine(date.fromisoformat(match["day"]), time(), tzinfo=now.tzinfo)
    moment = datetime.fromisoformat(match["day"] + match["time"])
    return moment.astimezone(now.tzinfo) if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _begin(moment: datetime, unit: str) -> datetime:
    """The first instant of the day, week, month or year that `moment` lies in."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "w":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1 if unit in "My" else day.day, month=1 if unit == "y" else day.month)


def _end(moment: datetime, unit: str) -> datetime:
    """The first instant after the day, week, month or year that `moment` lies in."""
    longer = {"d": 1, "w": 7, "M": 31, "y": 366}[unit]
    begin = _begin(moment, unit)
    return begin + timedelta(days=longer) if unit in "dw" else _begin(begin + timedelta(days=longer), unit)
