"""An HTTP client for URLs of users: never into the operator's network, never longer or larger than allowed.

A name is resolved once. Every address that it has is checked, and the connection uses a checked address, so that a
second reply of the name server changes nothing (DNS rebinding). No proxy of the environment is used, and no redirect is
followed. `ipaddress.is_global` alone is not enough: IPv6 can embed an IPv4 address in several ways.
"""

import http.client
import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from taskmanager.core.errors import TaskManagerError
from taskmanager.core.http.deadline import deadline, within

Address = IPv4Address | IPv6Address

MAX_RESPONSE_BYTES = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_MIN_FREE_PORT = 1024
_LOOKUP_SECONDS = 2.0
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")

# Networks that embed an IPv4 address, and the bit at which it ends: RFC 4291 (compatible and mapped), RFC 6052 and
# RFC 8215 (NAT64), RFC 3056 (6to4). Teredo (RFC 4380) embeds two, and has no public servers.
_CARRIERS = [
    (IPv6Network("::/96"), 0),
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
]
_ISATAP = 0x00005EFE  # RFC 5214: interface identifiers ::0:5efe:a.b.c.d and ::200:5efe:a.b.c.d
_HOST_OF_AZURE = "168.63.129.16/32"  # a public address, but within Azure the host's, which serves credentials
_NEVER = [
    ip_network(word)
    for word in (
        *("64:ff9b:1::/48", "2001::/32", "fec0::/10", "3fff::/20"),
        *("192.0.0.0/24", "192.88.99.0/24", _HOST_OF_AZURE),
    )
]
_NOT_PUBLIC = "This address is not a public one, and the operator has not allowed it (TASKMANAGER_WEBHOOK_ALLOW)."


class Refused(TaskManagerError):
    """The service does not send to this address."""

    code = "webhook.address_refused"


class ReceiverResponse(NamedTuple):
    """The response of a receiver, with at most MAX_RESPONSE_BYTES of its body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Rules(NamedTuple):
    """What an operator allows in addition to public addresses: networks, and names whatever they resolve to."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    names: frozenset[str] = frozenset()
    plain: bool = False  # whether http:// is allowed for any address, and not only for those allowed above

    @classmethod
    def parse(cls, text: str, *, plain: bool) -> "Rules":
        """Parse words separated by commas, each a network, an address or a name. Raises ValueError for other words."""
        words = [word.strip().lower() for word in text.split(",") if word.strip()]
        nets = [word for word in words if "/" in word or _literal(word) is not None]
        names = {word.rstrip(".") for word in words if word not in nets}
        if wrong := [name for name in names if not _NAME.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} is neither a network nor an address nor the name of a host")
        return cls(tuple(ip_network(word) for word in nets), frozenset(names), plain)


def check(url: str, rules: Rules) -> None:
    """Raise Refused, with the reason, unless the service may send to this URL.

    A name that does not resolve within two seconds is accepted: it is looked up again before each request.
    """
    parts = _split(url, rules)
    addresses: list[Address] = []
    with suppress(OSError):
        addresses = _addresses(parts)
    _check_addresses(parts, addresses, rules)


def post(url: str, body: bytes, headers: dict[str, str], *, seconds: float, rules: Rules) -> ReceiverResponse:
    """Send `body` and read the response, within `seconds` in total.

    Raises Refused, OSError (also for a response that is not HTTP or does not end, and when the time is over).
    """
    parts = _split(url, rules)
    began = time.monotonic()
    addresses = _addresses(parts)
    _check_addresses(parts, addresses, rules)
    connection = _Pinned(parts, addresses, began + seconds)
    try:
        with deadline(max(0.1, began + seconds - time.monotonic()), connection.cut) as over:
            return _exchange(connection, parts, body, headers, over)
    except http.client.HTTPException as error:
        raise OSError(f"no valid response: {type(error).__name__}") from None
    finally:
        connection.close()


def _exchange(
    connection: "_Pinned", parts: SplitResult, body: bytes, headers: dict[str, str], over: threading.Event
) -> ReceiverResponse:
    try:
        connection.request("POST", _target(parts), body, {"Host": parts.netloc, **headers})
        response = connection.getresponse()
    except (ValueError, AttributeError):  # a TLS socket raises these when `cut` has closed it
        if not over.is_set():
            raise
    if over.is_set():
        raise TimeoutError("no response in time")
    return ReceiverResponse(response.status, dict(response.getheaders()), _beginning(response))


def _beginning(response: http.client.HTTPResponse) -> bytes:
    """Return the beginning of the body; empty when reading fails, because the status is already known."""
    try:
        return response.read(MAX_RESPONSE_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


class _Pinned(http.client.HTTPConnection):
    """A connection to one of several checked addresses; TLS verifies the host name of the URL."""

    def __init__(self, parts: SplitResult, addresses: list[Address], ends: float) -> None:
        super().__init__(parts.hostname or "", _port(parts))
        self._secure, self._name = parts.scheme == "https", _name(parts)
        self._addresses, self._ends = addresses, ends

    def connect(self) -> None:
        """Connect to the first address that accepts; each has its share of the time. Raises OSError."""
        self.sock = self._connect_first()
        self.sock.settimeout(self._remaining())
        if self._secure:
            # wrapped before the handshake, so that `cut` can close the socket during the handshake
            self.sock = _context().wrap_socket(self.sock, server_hostname=self._name, do_handshake_on_connect=False)
            self.sock.do_handshake()

    def _connect_first(self) -> socket.socket:
        last: OSError = OSError("it has no address")
        for untried, address in zip(range(len(self._addresses), 0, -1), self._addresses, strict=True):
            try:
                return socket.create_connection((str(address), self.port), self._remaining() / untried)
            except OSError as error:
                last = error
        raise last

    def _remaining(self) -> float:
        return max(0.1, self._ends - time.monotonic())

    def cut(self) -> None:
        """End the conversation from another thread."""
        if self.sock is not None:
            self.sock.shutdown(socket.SHUT_RDWR)


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _split(url: str, rules: Rules) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = _port(parts)
    except ValueError:
        raise Refused("This is no URL.") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or parts.fragment:
        raise Refused("A URL of http or https without user and fragment is needed.")
    if port not in _PORTS.values() and port < _MIN_FREE_PORT:
        raise Refused("The port must be 80, 443 or one from 1024 on.")
    if any(character <= " " or character > "~" for character in url):
        raise Refused("A URL has no spaces, and no letters but those of ASCII.")
    name = _name(parts)
    if ":" not in name and not _NAME.fullmatch(name):
        raise Refused("The host is neither a name nor an address.")
    if name not in rules.names and (name == "localhost" or name.endswith((".localhost", ".local", ".internal"))):
        raise Refused(_NOT_PUBLIC)
    return parts


def _name(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


def _port(parts: SplitResult) -> int:
    return _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _addresses(parts: SplitResult) -> list[Address]:
    """Return all addresses that a name, or a spelling of an address, resolves to.

    Raises OSError, also after two seconds: the system's resolver has no timeout.
    """
    host, port = parts.hostname, _port(parts)
    try:
        found = within(_LOOKUP_SECONDS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except TimeoutError:
        raise OSError("the name was not found in time") from None
    except (OSError, UnicodeError):
        raise OSError("there is no such name") from None
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _check_addresses(parts: SplitResult, addresses: list[Address], rules: Rules) -> None:
    allowed = _name(parts) in rules.names or (
        bool(addresses) and all(any(a in net for net in rules.networks) for a in addresses)
    )
    if allowed:
        return
    if parts.scheme == "http" and not rules.plain:
        raise Refused("Only https is allowed.")
    if not all(map(_public, addresses)):
        raise Refused(_NOT_PUBLIC)


def _public(address: Address) -> bool:
    """Return whether an address, and an address that it embeds, belong to the public internet."""
    if isinstance(address, IPv6Address):
        for network, shift in _CARRIERS:
            if address in network:
                return _public(IPv4Address((int(address) >> shift) & 0xFFFFFFFF))
        if (int(address) >> 32) & 0xFDFFFFFF == _ISATAP and not _public(IPv4Address(int(address) & 0xFFFFFFFF)):
            return False
    if any(address in network for network in _NEVER):
        return False
    special = address.is_multicast or address.is_reserved or address.is_private or address.is_unspecified
    return address.is_global and not special and not address.is_loopback and not address.is_link_local


def _literal(word: str) -> Address | None:
    try:
        return ip_address(word)
    except ValueError:
        return None
