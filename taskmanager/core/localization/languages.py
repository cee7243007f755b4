"""The languages of texts for people: pages, mails and notifications.

English texts stand in code and templates; a folder of `taskmanager/translations` with a compiled catalogue has each
other language. Texts are translated into the language of the present context, which `using` sets.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_time, get_datetime_format
from babel.support import NullTranslations, Translations

from taskmanager.core.zones import zone

DEFAULT = "en"
FOLDER = Path(__file__).parents[2] / "translations"

_language: ContextVar[str] = ContextVar("language", default=DEFAULT)


@cache
def available() -> tuple[str, ...]:
    """Return the tags of all languages, such as `en`, in order."""
    found = {path.parents[1].name for path in FOLDER.glob("*/LC_MESSAGES/messages.mo")}
    return tuple(sorted({DEFAULT, *found}))


def current() -> str:
    """Return the language of the present context."""
    return _language.get()


@contextmanager
def using(language: str | None) -> Iterator[None]:
    """Translate texts into a language; one that is not available, or None, counts as English."""
    token = _language.set(known(language))
    try:
        yield
    finally:
        _language.reset(token)


def known(language: str | None) -> str:
    """Return a language if it is available; English otherwise."""
    return language if language in available() else DEFAULT


def negotiate(preferred: Iterable[str]) -> str:
    """Return the first available language of those that a user prefers, such as `de-AT`; English without one.

    Capital letters do not matter (RFC 9110, 8.5.1).
    """
    by_name = {tag.lower(): tag for tag in available()}
    found = negotiate_locale([tag.lower().replace("-", "_") for tag in preferred], list(by_name))
    return by_name.get(found or "", DEFAULT)


def names() -> dict[str, str]:
    """Return the name of each available language in itself, by its tag."""
    return {tag: (Locale.parse(tag).get_display_name(tag) or tag).capitalize() for tag in available()}


def gettext(message: str, **values: object) -> str:
    """Return a message in the present language, with the values in the places of their names (`%(name)s`)."""
    text = _catalogue(current()).gettext(message)
    return text % values if values else text


def ngettext(singular: str, plural: str, number: int, **values: object) -> str:
    """Return the form of a message for a number; `%(number)s` is the number."""
    return plural_form(singular, plural, number) % {"number": number, **values}


def plural_form(singular: str, plural: str, number: int) -> str:
    """Return the form of a message for a number, with its names of values as they are."""
    return _catalogue(current()).ngettext(singular, plural, number)


def marked(message: str) -> str:
    """Return a message of a table as it is: it is translated where it is used, and extracted by this name."""
    return message


def moment(at: datetime, timezone: str | None) -> str:
    """Return a moment in a time zone, as people write it in the present language; without a zone it is UTC."""
    local = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone(timezone))
    return f"{_local_time(local)} ({zone(timezone).key})"


def due_text(due: str, timezone: str | None) -> str:
    """Return a due (see `tasks/due.py`) as people write it: a day or a local time as it is, an instant in the zone."""
    if "T" not in due:
        return format_date(date.fromisoformat(due), "full", locale=current())
    at = datetime.fromisoformat(due)
    return moment(at, timezone) if at.tzinfo else _local_time(at)


def _local_time(at: datetime) -> str:
    """Return the date and the time without seconds; Babel has no format with both."""
    day, time = format_date(at, "medium", locale=current()), format_time(at.time(), "short", locale=current())
    return str(get_datetime_format("medium", locale=current())).replace("{1}", day).replace("{0}", time)


@cache
def _catalogue(language: str) -> NullTranslations:
    found: NullTranslations = Translations.load(FOLDER, [language])
    return found
