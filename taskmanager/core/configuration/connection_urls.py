"""URLs of other servers, parsed strictly: a lenient parser takes half of a password for another part of the URL.

Every parser reads `smtp://user:pa#ss@host` as the host `user` and a fragment (RFC 3986, section 3.2). So reserved
characters in user and password must be percent-encoded (section 2.1).
"""

import re
import warnings
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

_ENCODE = (
    "user and password must be percent-encoded: write # as %23, / as %2F, ? as %3F, @ as %40, : as %3A, % as %25"
    " (RFC 3986, section 2.1)"
)
_USERINFO = re.compile(
    r"([A-Za-z0-9._~!$&'()*+,;={}-]|%[0-9A-Fa-f]{2})*(:([A-Za-z0-9._~!$&'()*+,;={}-]|%[0-9A-Fa-f]{2})*)?"
)

MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


class MailServer(NamedTuple):
    """The parts of `TASKMANAGER_MAIL_URL`; with the scheme `null` mails are discarded."""

    scheme: str
    host: str
    port: int
    user: str
    password: str


def mail_server(url: str) -> MailServer:
    """Parse the URL of a mail server. Raises ValueError with a sentence that contains no part of the URL."""
    _refuse_unencoded(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("has a port that is no number from 1 to 65535") from None
    if parts.scheme == "null" and "://" in url:
        return MailServer("null", "", 0, "", "")
    if parts.scheme not in MAIL_PORTS or "://" not in url:
        raise ValueError(f"must begin with null://, {'://, '.join(MAIL_PORTS)}://")
    if not parts.hostname or port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be scheme://[user:password@]host[:port] and nothing more")
    user, secret = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.scheme, parts.hostname, port or MAIL_PORTS[parts.scheme], user, secret)


def check_mongodb(uri: str) -> None:
    """Raise ValueError, with a sentence that contains no part of the URI, for a URI that cannot be used.

    That is a URI that PyMongo does not parse, or that sets a read or write guarantee.
    """
    _refuse_unencoded(uri)
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    options = _mongodb_options(uri)
    for name, (rule, harmless) in _FIXED_OPTIONS.items():
        if name in options and (harmless is None or options[name] != harmless):
            raise ValueError(f"must not set '{name}': {rule} anyway")


# Options that a URI may not set: (the reason, the one value that is allowed because it changes nothing). A response
# depends on what the majority has stored.
_FIXED_OPTIONS: dict[str, tuple[str, object]] = {
    "w": ("writes are acknowledged by the majority", None),
    "journal": ("what is acknowledged is in the journal", None),
    "fsync": ("what is acknowledged is in the journal", None),
    "wtimeoutms": ("TASKMANAGER_MONGODB_TIMEOUT_MS bounds each operation", None),
    "readpreference": ("every read is of the primary", "primary"),
    "readpreferencetags": ("every read is of the primary", None),
    "readconcernlevel": ("every read is a majority read", "majority"),
    "retrywrites": ("a write that met a fault is sent again", True),
}


def _mongodb_options(uri: str) -> dict[str, object]:
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    if uri.startswith("mongodb+srv://"):  # parse_uri would look its name up in DNS: parse it as a plain URI
        uri = "mongodb://" + uri.removeprefix("mongodb+srv://")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options = parse_uri(uri, validate=True)["options"]
            return {name.lower(): value for name, value in options.items()}
    except (PyMongoError, ValueError, TypeError) as error:
        raise ValueError(f"cannot be read as a MongoDB URI ({type(error).__name__})") from None


class StoreAddress(NamedTuple):
    """A store: one server, a group of servers whose primary Sentinels know, or a cluster.

    `url` is the URL of a single server with the user, the password, the database and the options of this store; `hosts`
    are the Sentinels, or nodes of the cluster; `service` is the name of the group.
    """

    kind: Literal["server", "sentinel", "cluster"]
    url: str
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_auth: bool = False


def store_address(url: str) -> StoreAddress:
    """Parse the URL of a store. Raises ValueError with a sentence that contains no part of the URL."""
    scheme, _, rest = url.partition("://")
    protocol, _, kind = scheme.partition("+")
    if kind not in _STORE_PORTS or protocol not in ("redis", "rediss"):
        return StoreAddress("server", url)
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    userinfo, at, places = authority.rpartition("@")
    hosts = tuple(_host_of(place, _STORE_PORTS[kind]) for place in places.split(","))
    service, _, number = path.partition("/")
    if kind == "cluster" and path:
        raise ValueError("must have no database: a cluster has one only")
    if kind == "sentinel" and not re.fullmatch(r"[\w.-]+", service):
        raise ValueError("must have the name of the group that the Sentinels know: redis+sentinel://host,host/name/0")
    words = [word for word in query.split("&") if word]
    options = "&".join(word for word in words if word != _SENTINEL_AUTH)
    single = f"{protocol}://{userinfo}{at}{places.split(',')[0]}/{number or 0}" + (f"?{options}" if options else "")
    found: Literal["sentinel", "cluster"] = "cluster" if kind == "cluster" else "sentinel"
    return StoreAddress(found, single, hosts, service, _SENTINEL_AUTH in words)


_STORE_PORTS = {"sentinel": 26379, "cluster": 6379}
_SENTINEL_AUTH = "sentinel_auth=true"  # the Sentinels need the same user and password


def _host_of(place: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}")
        host, found = parts.hostname, parts.port
    except ValueError:
        host, found = None, 0
    if not host or found == 0 or parts.path:
        raise ValueError("must name its hosts as host:port, separated by commas")
    return host, found or port


def check_queue(url: str) -> None:
    """Raise ValueError for a URL that `check_redis` refuses, and for a cluster, which RQ cannot use."""
    check_redis(url)
    if store_address(url).kind == "cluster":
        raise ValueError("must be no cluster: a job has keys in several slots; use redis+sentinel://")


def check_redis(url: str) -> None:
    """Raise ValueError, with a sentence that contains no part of the URL, for a URL that redis-py does not parse."""
    _refuse_unencoded(url)
    url = store_address(url).url
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
    try:
        _redis_connection(url)
    except (ValueError, TypeError) as error:
        raise ValueError(f"cannot be read as the URL of a Redis or Valkey store ({type(error).__name__})") from None
    parts = urlsplit(url)
    if not (parts.path if parts.scheme == "unix" else parts.hostname):
        raise ValueError("must name a host or a socket")
    if parts.scheme != "unix" and not re.fullmatch(r"(/\d*)?", parts.path):
        raise ValueError("must have the number of a database at its end, such as /0")


def is_same_store(one: str, other: str) -> bool:
    """Return whether two URLs lead to one store, however they are spelled: one host in common is enough for a group."""
    (hosts, *place), (others, *other_place) = _place(one), _place(other)
    return place == other_place and not hosts.isdisjoint(others)


def _place(url: str) -> tuple[frozenset[Any], str, int]:
    """Return the hosts of a store, its group, and its database."""
    known = store_address(url)
    connection: Any = _redis_connection(known.url)
    if known.kind != "server":
        return frozenset(known.hosts), known.service or known.kind, connection.db
    address = getattr(connection, "path", None) or (connection.host.lower(), int(connection.port))
    return frozenset({address}), "", connection.db


def _redis_connection(url: str) -> object:
    import redis

    return redis.ConnectionPool.from_url(url).make_connection()  # it connects at its first use


def check_apprise(url: str, *places: str) -> None:
    """Raise ValueError unless Apprise accepts the URL, and it has one of the `places` (placeholders) for recipients."""
    if not any(place in url for place in places):
        raise ValueError(f"must hold {' or '.join(places)} where the recipient belongs")
    _refuse_unencoded(url, elsewhere=True)
    import apprise  # slow to import, and only needed when such a URL is set

    sample = url.replace("{to}", "15555550100").replace("{email}", "ada%40example.com").replace("{user}", "ada")
    if not apprise.Apprise().add(sample):
        raise ValueError("is no URL that Apprise knows (https://github.com/caronc/apprise)")


def _refuse_unencoded(url: str, *, elsewhere: bool = False) -> None:
    """Raise ValueError for a user or a password that must be encoded, and for characters that no URL contains.

    With `elsewhere` an @ is allowed after the host too, but not after an authority such as `user:word`.
    """
    if re.search(r"[^\x21-\x7e]", url):
        raise ValueError("must be printable ASCII without blanks: percent-encode what is not")
    rest = url.partition("://")[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    behind = rest[len(authority) :]
    userinfo, at, _ = authority.rpartition("@")
    if at and not _USERINFO.fullmatch(userinfo):
        raise ValueError(_ENCODE)
    if "@" in behind and not (elsewhere and (at or ":" not in authority)):
        raise ValueError(_ENCODE)
