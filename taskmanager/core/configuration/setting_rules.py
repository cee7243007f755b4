"""Rules for values of settings. At start each value is parsed by the same code that parses it later.

A rule takes the text and raises ValueError with a sentence that never contains the value.
"""

import os
import re
from collections.abc import Callable
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import default as default_policy
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from taskmanager.core.configuration import (
    connection_urls,
    domains,
    limit_settings,
    link_patterns,
    origins,
    service_groups,
    telemetry_settings,
)
from taskmanager.core.configuration.database_settings import parse_replica_reads
from taskmanager.core.http.guarded_http import Rules

Rule = Callable[[str], object]

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_-]{1,63})*\.?")
_MEDIA_PATTERN = re.compile(r"[A-Za-z0-9!#$&^_.+*?-]{1,127}/[A-Za-z0-9!#$&^_.+*?-]{1,127}")


def rate(text: str) -> None:
    """Accept rates that the library `limits` parses and that allow at least one request."""
    import limits

    try:
        found = limits.parse_many(text)
    except ValueError:
        found = []
    if not found or any(item.amount < 1 for item in found):
        raise ValueError('must be such as "600/minute": a count of at least 1 for each second, minute, hour or day')


def ceiling(text: str) -> None:
    """Accept a rate, or 0 for none."""
    if text != "0":
        rate(text)


def greeting(text: str) -> None:
    """Accept the argument of EHLO: a host name, or an address in brackets (RFC 5321, 4.1.3)."""
    literal = re.fullmatch(r"\[(?:IPv6:)?(.*)\]", text)
    if literal is None:
        host(text)
        return
    try:
        ip_address(literal[1])
    except ValueError:
        raise ValueError("must be a name, or an address in brackets") from None


def host(text: str) -> None:
    """Accept an IP address or the name of a host."""
    try:
        ip_address(text)
    except ValueError:
        if not _HOST.fullmatch(text) or re.fullmatch(r"[\d.]+", text):
            raise ValueError("must be an address such as 127.0.0.1 or ::1, or the name of a host") from None


def http_url(text: str) -> None:
    """Accept a URL of http or https without user, query and fragment."""
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not text.isascii() or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError("must begin with http:// or https:// and be ASCII: write an international name as xn--…")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must have no user, query (?) and fragment (#)")


def sentry_dsn(text: str) -> None:
    """Accept a DSN of Sentry: a URL whose user is the public key and whose path ends with the project."""
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.username and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not re.fullmatch(r"/(.+/)?\d+", parts.path) or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("must be such as https://key@sentry.example.com/1")


def new_file(path: Path) -> None:
    """Accept a regular file, or a path where one can be made, in a folder where it can be renamed."""
    is_other = path.is_symlink() or (path.exists() and not (path.is_file() and os.access(path, os.W_OK)))
    if "\0" in str(path) or is_other or not os.access(path.parent, os.W_OK):
        raise ValueError("must be a regular file that can be written, in a folder that can be written")


def link(text: str) -> None:
    """Accept a URL of http or https that a page can link to, without a user."""
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        fine = False
    if not fine or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("must be a link such as https://example.com/terms, in ASCII")


def mail_address(text: str) -> None:
    """Accept one address, with or without a display name, as in the From header of a mail (RFC 5322, 3.6.2)."""
    message = EmailMessage(policy=default_policy)
    try:
        message["From"] = text
        addresses = message["From"].addresses
        fine = len(addresses) == 1 and addresses[0].username and addresses[0].domain and not message["From"].defects
    except (ValueError, MessageError, IndexError):
        fine = False
    if not fine or not addresses[0].addr_spec.isascii():
        raise ValueError('must be one address, such as "Task Manager <tasks@example.com>"')


def login_address(text: str) -> None:
    """Accept an address that an account can log in with."""
    import email_validator

    try:
        email_validator.validate_email(text, check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        raise ValueError("must be a mail address, such as admin@example.com") from None


def media_patterns(text: str) -> None:
    """Accept patterns of media types, such as `image/*`, separated by commas."""
    if not all(_MEDIA_PATTERN.fullmatch(word.strip()) for word in text.split(",")):
        raise ValueError("must be types such as image/png or image/*, separated by commas")


def networks(text: str) -> None:
    """Accept networks, addresses and names of hosts, separated by commas."""
    Rules.parse(text, plain=False)


def one_line(text: str) -> None:
    """Accept up to 100 printable characters."""
    if not (text.isprintable() and 0 < len(text.strip()) <= 100):
        raise ValueError("must be one line of at most 100 printable characters")


def password(text: str) -> None:
    """Accept a password that an account can have: 8 to 128 characters."""
    if not 8 <= len(text) <= 128:
        raise ValueError("must have 8 to 128 characters")


def header_word(text: str) -> None:
    """Accept a value that a client can send in a header: printable ASCII."""
    if not (text.isascii() and text.isprintable() and text == text.strip()):
        raise ValueError("must be printable ASCII without blanks around it")


def folder(path: Path) -> None:
    """Accept a folder, or a path that does not exist yet."""
    if "\0" in str(path) or (path.exists() and not path.is_dir()):
        raise ValueError("must be a folder")


def file(path: Path) -> None:
    """Accept a file, or a path that does not exist yet: another program may write and replace it."""
    if "\0" in str(path) or path.is_dir():
        raise ValueError("must be a file")


def unix_socket(path: Path) -> None:
    """Accept a path for a unix socket: of at most 100 bytes, because Linux takes 107, in a folder that exists."""
    if (
        "\0" in str(path)
        or len(bytes(path)) > 100
        or not path.parent.is_dir()
        or (path.exists() and not path.is_socket())
    ):
        raise ValueError("must be a path of at most 100 bytes in a folder that exists")


def certificates(path: Path) -> None:
    """Accept a file of certificates in PEM form."""
    import ssl

    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError):
        raise ValueError("must be a file of certificates in PEM form that can be read") from None


def plain_name(text: str) -> None:
    """Accept lower-case letters, digits and `_`, at most 40 characters."""
    if not re.fullmatch("[a-z][a-z0-9_]{0,39}", text):
        raise ValueError("must be a name of small letters, digits and _")


RULES: dict[str, Rule] = {
    "services": service_groups.parse,
    "host": host,
    "public_url": http_url,
    "cors_origins": origins.check,
    "signup_domains": domains.parse,
    "quota_exceptions": limit_settings.quota_exceptions,
    "app_url": http_url,
    **{f"link_{name}": partial(link_patterns.check, name) for name in link_patterns.PATTERNS},
    "stream_url": http_url,
    "oidc_issuer": http_url,
    "oidc_client_id": header_word,
    "oidc_client_secret": header_word,
    "oidc_name": one_line,
    "admin_email": login_address,
    "admin_password": password,
    "metrics_token": header_word,
    "service_name": one_line,
    "terms_url": link,
    "privacy_url": link,
    "support_url": link,
    "replica_reads": parse_replica_reads,
    "mongodb_uri": connection_urls.check_mongodb,
    "queue_url": connection_urls.check_queue,
    "cache_url": connection_urls.check_redis,
    "mail_url": connection_urls.mail_server,
    "sms_url": lambda text: connection_urls.check_apprise(text, "{to}"),
    "chat_url": lambda text: connection_urls.check_apprise(text, "{email}", "{user}"),
    "mail_from": mail_address,
    "mail_helo": greeting,
    "ratelimit_network": ceiling,
    "attachment_store": plain_name,
    "attachment_types": media_patterns,
    "webhook_allow": networks,
    "log_levels": telemetry_settings.parse_levels,
    "traces_url": http_url,
    "traces_headers": telemetry_settings.parse_headers,
    "sentry_dsn": sentry_dsn,
}
PATHS: dict[str, Callable[[Path], None]] = {
    "socket": unix_socket,
    "data_dir": folder,
    "keys_dir": folder,
    "attachment_folder": folder,
    "mail_ca_file": certificates,
    "mail_oauth_token_file": file,
    "log_file": new_file,
}
_MAX_NUMBER = 2**63 - 1  # the largest integer of BSON
# settings whose names share a prefix share the rule
_FAMILIES: dict[str, Rule] = {"ratelimit_": rate}


def rule_of(name: str, annotation: object) -> Rule | None:
    """Return the rule for the text of this setting; None when its type is the only rule."""
    if name in RULES:
        return RULES[name]
    is_text = annotation is str or str in get_args(annotation)
    return next((rule for start, rule in _FAMILIES.items() if is_text and name.startswith(start)), None)


def check(name: str, annotation: object, value: object) -> None:
    """Raise ValueError unless `value` is valid for the setting `name`; an empty value is."""
    text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    if isinstance(text, Path):
        PATHS[name](text)
    if isinstance(text, int) and text > _MAX_NUMBER:
        raise ValueError("is too large")
    rule = rule_of(name, annotation)
    if rule is not None and isinstance(text, str) and text:
        rule(text)
