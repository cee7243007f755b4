"""Redaction of secret settings in texts that are logged, stored or shown, such as messages of errors.

Libraries put URLs and credentials into the messages of their exceptions. Before such a message leaves the
process, `redact` replaces each part of a URL setting, and each secret, by the name of the variable.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from taskmanager.core.configuration import settings
from taskmanager.core.configuration.telemetry_settings import parse_headers

_SERVER_URLS = ("mongodb_uri", "queue_url", "cache_url", "mail_url")
_PROVIDER_URLS = ("sms_url", "chat_url")
_SECRETS = ("secret_key", "oidc_client_secret", "admin_password", "metrics_token", "sentry_dsn")
_MAX_KEPT_CHARACTERS = 80
_MIN_CHARACTERS, _MIN_NAME_CHARACTERS, _MIN_TOKEN_CHARACTERS = 4, 12, 6
# Names of headers whose value is a secret in any form; of others, as `X-Scope-OrgID`, the value may be in many lines.
_CREDENTIALS = re.compile("auth|key|token|secret|passw|cookie|credential", re.IGNORECASE)

_MAIL_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
# access tokens (RFC 7519), our own opaque tokens, and what follows the scheme of an Authorization header
_TOKEN = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]*\.?[\w-]*|\bt[a-z]_[\w-]{16,}|(?<=Bearer )[\w.~+/=-]{8,}|(?<=Basic )[\w+/=-]{8,}"
)
_PARTS_OF_TOKENS = ("_", "eyJ", "Bearer ", "Basic ")  # each match of `_TOKEN` has one of them, in it or before it


class _Pattern:
    """The pattern that matches all secrets of the settings `made_of`."""

    made_of: settings.Settings | None = None
    expression: re.Pattern[str] | None = None
    names: dict[str, str] = {}


_pattern = _Pattern()


def redact(text: str) -> str:
    """Return the text with each secret of the settings replaced by the name of its variable: `[TASKMANAGER_…]`."""
    chosen = settings.effective()
    if chosen is None:
        return text
    if _pattern.made_of is not chosen:
        _prepare(chosen)
    return _pattern.expression.sub(_name_of, text) if _pattern.expression else text


def scrub(text: str) -> str:
    """Return the text without secrets of the settings, and without what looks like a token or an address of a mail.

    For what is stored or logged, where messages of libraries may quote what clients have sent.
    """
    text = redact(text)
    if "@" in text:
        text = _MAIL_ADDRESS.sub("[address]", text)
    return _TOKEN.sub("[token]", text) if any(part in text for part in _PARTS_OF_TOKENS) else text


@lru_cache(maxsize=500)
def _scrub_short(text: str) -> str:
    """Scrub a short text. Most of a log line, such as names and routes, are in many lines."""
    return scrub(text)


def scrubber() -> Callable[[str], str]:
    """Return the function that scrubs a text by the settings of this moment."""
    if _pattern.made_of is not settings.effective():
        _scrub_short.cache_clear()
    return _scrub_text


def scrubbed(value: object) -> object:
    """Return a value with all texts in it scrubbed."""
    scrubber()
    return _scrubbed(value)


def _scrub_text(text: str) -> str:
    return _scrub_short(text) if len(text) <= _MAX_KEPT_CHARACTERS else scrub(text)


def _scrubbed(value: object) -> object:
    if isinstance(value, str):
        return _scrub_text(value)
    if isinstance(value, dict):
        return {name: _scrubbed(inner) for name, inner in value.items()}
    return [_scrubbed(inner) for inner in value] if isinstance(value, list | tuple) else value


def redacted(value: object) -> object:
    """Return a value, such as a field of a log line, with all texts in it redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: redacted(inner) for name, inner in value.items()}
    return [redacted(inner) for inner in value] if isinstance(value, list | tuple) else value


def _name_of(match: re.Match[str]) -> str:
    return f"[{_pattern.names[match.group()]}]"


def _prepare(chosen: settings.Settings) -> None:
    names = {part: f"TASKMANAGER_{name.upper()}" for name, part in _found(chosen) if part}
    for part, name in list(names.items()):
        names.setdefault(ascii(part)[1:-1], name)  # as messages of exceptions escape bytes and texts
    longest_first = sorted(names, key=len, reverse=True)
    words = [
        re.escape(part) if len(part) >= _MIN_CHARACTERS else rf"(?<!\w){re.escape(part)}(?!\w)"
        for part in longest_first
    ]
    _pattern.expression, _pattern.names = re.compile("|".join(words)) if words else None, names
    _pattern.made_of = chosen


def _found(chosen: settings.Settings) -> Iterator[tuple[str, str]]:
    for name in _SERVER_URLS:
        yield from ((name, part) for part in _parts(getattr(chosen, name)))
    for name in _PROVIDER_URLS:
        yield from ((name, part) for part in _tokens(getattr(chosen, name)))
    for name in _SECRETS:
        yield name, getattr(chosen, name).get_secret_value()
    for header, value in parse_headers(chosen.traces_headers.get_secret_value()).items():
        parts = (value, value.rpartition(" ")[2])
        yield from (("traces_headers", part) for part in parts if _CREDENTIALS.search(header) or _looks_generated(part))


def _parts(url: str) -> Iterator[str]:
    """Yield the URL, its credentials and its hosts, without localhost and IP addresses, which are in many log lines."""
    try:
        authority = urlsplit(url).netloc
    except ValueError:
        authority = ""
    userinfo, _, hosts = authority.rpartition("@")
    user, _, secret = userinfo.partition(":")
    yield from (url, secret, unquote(secret))
    yield from (userinfo, unquote(userinfo)) if secret else ()
    yield from (name for name in (user, unquote(user)) if "@" in name or len(name) >= _MIN_NAME_CHARACTERS)
    for server in hosts.split(","):
        host = server.partition(":")[0]
        public = host in ("localhost", "") or re.fullmatch(r"[\d.]+", host) or server.startswith("[")
        yield from () if public else (server if ":" in server else "", host if "." in host else "")


def _tokens(url: str) -> Iterator[str]:
    """Yield the URL and all words in it that look generated: URLs of providers have secrets in any of their parts."""
    yield url
    yield from _parts(url)
    for word in re.split(r"[/?&=:@]+", url):
        if "{" not in word and _looks_generated(word):
            yield from (word, unquote(word))


def _looks_generated(word: str) -> bool:
    mixed = re.search(r"\d", word) or (word.lower() != word and word.upper() != word)
    return len(word) >= _MIN_TOKEN_CHARACTERS and bool(mixed)
