"""Networks for counting: a subscriber has one IPv4 address, and a whole /64 of IPv6 (RFC 6177, RFC 7934)."""

from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

_SUBSCRIBER_PREFIX = 64


def network_of(address: str | None) -> str:
    """Return the network that an address counts as: itself for IPv4, also when mapped into IPv6; its /64 for IPv6.

    A text that is not an address, such as the path of a socket, is returned unchanged.
    """
    try:
        known = IPv6Address((address or "").partition("%")[0])
    except AddressValueError:
        return address or ""
    mapped: IPv4Address | None = known.ipv4_mapped
    return str(mapped or IPv6Network((known, _SUBSCRIBER_PREFIX), strict=False))
