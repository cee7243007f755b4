"""Tables of the pages for operators: cells are texts, links, states or buttons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Response

from taskmanager.core.clock import iso, now
from taskmanager.core.security.redaction import scrub
from taskmanager.ops import blueprint


@dataclass(frozen=True)
class Cell:
    """A text; `path` makes it a link, `state` (pass, warn, fail) a mark."""

    text: object = ""
    path: str = ""
    state: str = ""


@dataclass(frozen=True)
class Button:
    """A form with one button."""

    label: str
    action: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table. `empty` is said when it has no rows; `buttons` stand below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | Button | object]]
    empty: str = "There are none."
    buttons: Sequence[Button] = ()
    more: str = ""  # path of the rows that follow


@dataclass(frozen=True)
class Choice:
    """One field of the form that chooses rows: a text, or one of `options`."""

    name: str
    label: str
    value: str
    options: Sequence[str] = ()


def show(title: str, *tables: Table, choices: Sequence[Choice] = (), text: Iterable[str] = ()) -> Response:
    """Return a page with tables."""
    return blueprint.show("ops_tables.html", title, tables=tables, choices=choices, text=list(text))


def when(moment: datetime | None) -> str:
    """Return a moment as operators compare it with logs, and how long ago it was."""
    if moment is None:
        return "never"
    moment = _aware(moment)
    seconds = (now() - moment).total_seconds()
    return f"{iso(moment)[:19].replace('T', ' ')} ({duration(abs(seconds))} {'ago' if seconds >= 0 else 'ahead'})"


def ago(moment: datetime) -> str:
    """Return how long ago a moment was, or `now`."""
    seconds = (now() - _aware(moment)).total_seconds()
    return f"{duration(seconds)} ago" if seconds > 0 else "now"


def _aware(moment: datetime) -> datetime:
    """Return it with a zone: rows that no document is made of may lack it."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that fits."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(number: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def short(value: Any, most: int = 200) -> str:
    """Return a text without secrets, shortened."""
    text = scrub(str(value or ""))
    return text if len(text) <= most else f"{text[: most - 1]}…"
