"""Origins of web pages (RFC 6454) in settings: `https://app.example.org`, patterns such as `https://*.example.org`."""

import re

ANY = "*"
_ENTRY = re.compile(
    r"(?P<scheme>https?)://(?P<wild>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>\d{1,5}|\*))?"
)
_LABELS = r"(?:[a-z0-9_-]{1,63}\.)+"
_USUAL_PORTS = {"http": "80", "https": "443"}  # browsers leave them out of an origin
_SENTENCE = (
    "must be origins such as https://app.example.org, https://*.example.org or http://localhost:*, without a path, "
    "separated by commas; or * alone for all"
)


def patterns(text: str) -> list[re.Pattern[str]]:
    """Return a pattern for each origin in a list; each pattern matches whole origins only.

    `*.` stands for one or more labels of a host, never for the domain itself; the port `*` for any port or none.
    Raises ValueError with a sentence.
    """
    return [_pattern(entry.strip().lower()) for entry in text.split(",")]


def check(text: str) -> None:
    """Accept what `patterns` accepts, and `*`."""
    if text.strip() != ANY:
        patterns(text)


def _pattern(entry: str) -> re.Pattern[str]:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(_SENTENCE)
    host, port = found["host"], found["port"]
    if found["wild"] and ("." not in host or re.fullmatch(r"[\d.]+", host)):
        raise ValueError("must name a domain of two parts or more behind *., such as https://*.example.org")
    if port and port != "*" and not 0 < int(port) < 65536:
        raise ValueError("must have ports from 1 to 65535")
    # `\Z`, because `$` also matches before a line break at the end
    return re.compile(
        f"{found['scheme']}://{_LABELS if found['wild'] else ''}{re.escape(host)}{_port(found['scheme'], port)}\\Z",
        re.ASCII | re.IGNORECASE,
    )


def _port(scheme: str, port: str | None) -> str:
    if port == "*":
        return r"(?::\d{1,5})?"
    return "" if port in (None, _USUAL_PORTS[scheme]) else f":{port}"
