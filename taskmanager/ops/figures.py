"""What takes space, the quotas, slow queries, and the settings in force."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pymongo
from flask import Response
from pydantic import SecretStr
from pydantic_settings import BaseSettings
from pymongo.errors import PyMongoError

from taskmanager.api import history, space
from taskmanager.api.metrics import unless_away
from taskmanager.core import quotas
from taskmanager.core.configuration import settings
from taskmanager.core.configuration.limit_settings import quota_exceptions
from taskmanager.core.security.redaction import redact
from taskmanager.feature import SETTINGS
from taskmanager.features.projects.models import Project
from taskmanager.features.users.models import User
from taskmanager.ops import tables
from taskmanager.ops.blueprint import ops_page
from taskmanager.ops.tables import Cell, Table, short, size

_SERVERS = ("mongodb_uri", "queue_url", "cache_url", "mail_url")  # shown without user, password and options
_SECRET_WORDS = ("secret", "password", "token", "key", "url", "uri", "dsn", "headers")
_OPEN = (
    "ratelimit_secret",
    "public_url",
    "app_url",
    "terms_url",
    "privacy_url",
    "support_url",
    "stream_url",
    "oidc_issuer",
)
_MAX_OWNERS, _SECONDS = 10, 0.9


@ops_page("/space")
def show_space() -> Response:
    """Return the bytes of collections, the quotas, and who has most."""
    uploads = [
        (Cell(row["email"], f"/users/{row['_id']}"), size(row["attachment_bytes"])) for row in _largest(User, "email")
    ]
    files = [(row.get("key", ""), row["_id"], size(row["attachment_bytes"])) for row in _largest(Project, "key")]
    return tables.show(
        "Space and quotas",
        _collections(),
        *_quotas(),
        Table("Accounts with the largest uploads", ("Address", "Bytes"), uploads),
        Table("Projects with the largest attachments", ("Key", "Id", "Bytes"), files),
        text=("`taskmanager stats` also has the bytes of projects. docs/operations.md says what removes what.",),
    )


def _collections() -> Table:
    rows = [
        (
            row["collection"],
            row["documents"],
            size(row["data_bytes"]),
            size(row["index_bytes"]),
            size(row["disk_bytes"]),
        )
        for row in space.collections()
    ]
    return Table("Collections, the largest first", ("Collection", "Documents", "Data", "Indexes", "On disk"), rows)


def _quotas() -> tuple[Table, Table]:
    limits = [(f"TASKMANAGER_QUOTA_{name.upper()}", _limit(quotas.limit(name))) for name in quotas.QUOTAS]
    known = quota_exceptions(settings.current().quota_exceptions)
    exceptions = [(owner, name, _limit(most)) for (owner, name), most in known.items()]
    return (
        Table("Quotas", ("Setting", "Limit"), limits),
        Table("Exceptions, by TASKMANAGER_QUOTA_EXCEPTIONS", ("Id", "Quota", "Limit"), exceptions),
    )


def _limit(most: int) -> str:
    return f"{most:,}" if most else "no limit"


@ops_page("/slow")
def slow() -> Response:
    """Return the slow queries of a day."""
    found = unless_away(history.slow_queries)
    rows = [
        (row.get("at", "")[:19].replace("T", " "), row["collection"], row["command"], f"{row['duration_ms']:,.0f} ms",
         short(row["shape"], 300), short(", ".join(map(str, row["order"]))))
        for row in found or []
    ]  # fmt: skip
    empty = "The cache store, which keeps them, does not respond." if found is None else "There was none."
    columns = ("At", "Collection", "Command", "Took", "Filter, without values", "Order")
    text = (
        f"Commands of MongoDB that took {settings.current().slow_query_ms:,} ms or longer (TASKMANAGER_SLOW_QUERY_MS),"
        " of all processes, at most one a second of each. They are shown a minute late."
    )
    return tables.show("Slow queries", Table("The latest first", columns, rows, empty), text=(text,))


@ops_page("/settings")
def show_settings() -> Response:
    """Return the settings in force, without secrets."""
    known = settings.current()
    plugins = [
        Table(f"Plugin {name}", ("Setting", "Value", "Default"), list(_rows(found, _of_plugin)))
        for name, found in SETTINGS.items()
    ]
    return tables.show(
        "Settings",
        Table("In force in this process", ("Setting", "Value", "Default"), list(_rows(known, shown))),
        *plugins,
        text=("Secrets are hidden. config/env.example explains each.",),
    )


def _rows(found: BaseSettings, show: Callable[[str, Any], str]) -> Iterator[tuple[object, ...]]:
    prefix = str(found.model_config.get("env_prefix", ""))
    for name in sorted(type(found).model_fields):
        given = "set" if name in found.model_fields_set else "default"
        yield (f"{prefix}{name}".upper(), show(name, getattr(found, name)), given)


def shown(name: str, value: Any) -> str:
    """Return the value of a setting, or that it is set when it may have a secret."""
    if name in _SERVERS:
        return _server(value)
    hidden = isinstance(value, SecretStr) or (name not in _OPEN and _may_be_secret(name, value))
    if hidden:
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        return "hidden" if plain else "empty"
    return short(redact(str(value)), 500)


def _of_plugin(name: str, value: Any) -> str:
    """Return a number or a yes or no; of all else whether there is something: plugins name secrets as they like."""
    is_plain = value is None or (isinstance(value, bool | int | float) and not _may_be_secret(name, str(value)))
    return str(value) if is_plain else ("hidden" if value else "empty")


def _may_be_secret(name: str, value: object) -> bool:
    return isinstance(value, str) and any(word in name for word in _SECRET_WORDS)


def _server(url: str) -> str:
    """Return scheme and hosts of a URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "hidden"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _largest(kind: Any, *fields: str) -> Iterable[dict[str, Any]]:
    """Return the documents with the most bytes of attachments; none when that takes too long."""
    where = {"attachment_bytes": {"$gt": 0}}
    try:
        with pymongo.timeout(_SECONDS):
            rows = kind._get_collection().find(where, dict.fromkeys((*fields, "attachment_bytes"), 1))
            return list(rows.sort("attachment_bytes", -1).limit(_MAX_OWNERS))
    except PyMongoError:
        return []
