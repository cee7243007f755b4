"""The kinds of fields that filters support."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bson import ObjectId

from taskmanager.core.filters.nodes import Named, Value
from taskmanager.core.storage.orders import Filter

SAME = frozenset({"=", "!=", "in", "not in"})
ORDERED = SAME | {"<", "<=", ">", ">="}
NULLABLE = frozenset({"is null", "is not null"})
MONGO = {"=": "$eq", "!=": "$ne", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte", "in": "$in", "not in": "$nin"}


class BaseKind:
    """Compares stored values as they are. A missing value differs from every value, and is neither more nor less."""

    operators = SAME
    lowest: object = None  # a lower bound of all values: with it "not null" is one contiguous range of an index

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator in NULLABLE:
            return presence(stored, operator, self.lowest)
        return {stored: {MONGO[operator]: values if operator in ("in", "not in") else values[0]}}


def presence(stored: str, operator: str, lowest: object) -> Filter:
    """Return the query for `is null` or `is not null`; `lowest` is a lower bound of all values, or None."""
    if operator == "is null":
        return {stored: {"$exists": False}}
    return {stored: {"$exists": True} if lowest is None else {"$gte": lowest}}


class OneOfKind(BaseKind):
    """One of several words."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def read(self, text: str) -> Value:
        if text not in self.words:
            raise ValueError(f"must be one of {', '.join(self.words)}.")
        return lambda context: text


class KeyKind(BaseKind):
    """A key of something, such as a status: lower-case letters, digits and `_`."""

    def __init__(self, sort: str) -> None:
        self.sort = sort

    def read(self, text: str) -> Value:
        if not re.fullmatch("[a-z][a-z0-9_]{0,29}", text):
            raise ValueError("must be a short name in small letters.")
        return Named(self.sort, text, text)


class RankedKind(BaseKind):
    """One of several words that have an order; its index in `words` is stored."""

    operators = ORDERED

    def __init__(self, words: Sequence[str]) -> None:
        self.ranks: Mapping[str, int] = {word: rank for rank, word in enumerate(words)}

    def read(self, text: str) -> Value:
        if text not in self.ranks:
            raise ValueError(f"must be one of {', '.join(self.ranks)}.")
        return lambda context: self.ranks[text]


class IntegerKind(BaseKind):
    """An integer."""

    operators = ORDERED | NULLABLE
    lowest = -(10**15)

    def read(self, text: str) -> Value:
        if not re.fullmatch(r"-?[0-9]{1,12}", text):
            raise ValueError("must be a whole number.")
        return lambda context: int(text)


_ID = re.compile("[0-9a-f]{24}")


class ReferenceKind(BaseKind):
    """An id of something; `sort` says of what kind."""

    def __init__(self, sort: str) -> None:
        self.sort = sort

    def read(self, text: str) -> Value:
        if not _ID.fullmatch(text):
            raise ValueError("must be an id.")
        return Named(self.sort, ObjectId(text), ObjectId(text))


class OptionalReferenceKind(ReferenceKind):
    """An id, or none."""

    operators = SAME | NULLABLE
    lowest = ObjectId(b"\0" * 12)


class PersonKind(ReferenceKind):
    """The id of an account, or `me`."""

    def __init__(self) -> None:
        super().__init__("person")

    def read(self, text: str) -> Value:
        return (lambda context: context.user_id) if text == "me" else super().read(text)


class _TagsKind(BaseKind):
    """Several ids, each as an index tag: a letter, a colon and the id. Rows without any have the letter alone when
    `flagged`. All tags of a row are in one list, because an index can include only one list."""

    operators = SAME | NULLABLE

    def __init__(self, letter: str, *, flagged: bool = True) -> None:
        self.letter, self.flagged = letter, flagged

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator not in NULLABLE:
            return super().query(stored, operator, [f"{self.letter}:{value}" for value in values])
        # bounds of hexadecimal digits, both by code point and by collation
        some = {"$elemMatch": {"$gte": f"{self.letter}:0", "$lt": f"{self.letter}:g"}}
        if operator == "is not null":
            return {stored: some}
        return {stored: self.letter if self.flagged else {"$not": some}}


class PeopleKind(_TagsKind):
    """Several accounts: `=` matches when the account is one of them, `is null` when there is none."""

    def read(self, text: str) -> Value:
        return PersonKind().read(text)


class TextKind(BaseKind):
    """Text: `~` matches when it contains the value, in upper or lower case. The Unicode normalization form makes no
    difference: the stored text may have another one than the value."""

    operators = SAME | NULLABLE | {"~"}

    def read(self, text: str) -> Value:
        return lambda context: text

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator in NULLABLE:
            return super().query(stored, operator, values)
        forms = list(dict.fromkeys(form for value in values for form in _forms(value)))
        if operator == "~":
            return {stored: {"$regex": "|".join(map(re.escape, forms)), "$options": "i"}}
        return super().query(stored, "in" if operator in ("=", "in") else "not in", forms)


def _forms(text: str) -> list[str]:
    return [text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)]


class KeyTextKind(TextKind):
    """Text that is stored in upper case; the case of the value makes no difference."""

    def read(self, text: str) -> Value:
        return lambda context: text.upper()


class LabelKind(_TagsKind):
    """Names or ids of labels, of which a row may have several: `=` matches when it has one of them."""

    def __init__(self, letter: str, key: Callable[[str], str]) -> None:
        """Take `key`, which returns the key by which a name is looked up."""
        super().__init__(letter)
        self.key = key

    def read(self, text: str) -> Value:
        if _ID.fullmatch(text):
            return Named("label", ObjectId(text), [ObjectId(text)])
        return Named("label", self.key(text), [])

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        several = {"=": "in", "!=": "not in"}.get(operator, operator)  # several labels may have the same name
        return super().query(stored, several, [item_id for value in values for item_id in value])


class UntypedKind:
    """A value of a field whose kind is known only when the filter is evaluated: see `binding.readings`."""

    operators = ORDERED | NULLABLE | {"~"}

    def read(self, text: str) -> Value:
        return lambda context: text

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        raise TypeError(f"the kind of {stored} was not resolved")


class NumberKind(BaseKind):
    """A number."""

    operators = ORDERED | NULLABLE

    def read(self, text: str) -> Value:
        if not re.fullmatch(r"-?[0-9]{1,16}(?:\.[0-9]{1,9})?", text):
            raise ValueError("must be a number.")
        return lambda context: float(text)


class CheckboxKind(BaseKind):
    """True or false."""

    operators = SAME | NULLABLE

    def read(self, text: str) -> Value:
        if text not in ("true", "false"):
            raise ValueError("must be true or false.")
        return lambda context: text == "true"


class SelectKind(BaseKind):
    """One of several texts. `fits` returns the option that a value means, or None. `~` works as in TextKind."""

    operators = SAME | NULLABLE | {"~"}

    def __init__(self, options: Sequence[str], fits: Callable[[str], str | None]) -> None:
        self.options, self.fits = options, fits

    def read(self, text: str) -> Value:
        option = self.fits(text)
        if option is None:
            raise ValueError(f"must be one of {', '.join(self.options)}.")
        return lambda context: option


class PersonTextKind(PersonKind):
    """The id of an account as text, or `me`."""

    operators = SAME | NULLABLE

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        return super().query(stored, operator, [str(value) for value in values])
