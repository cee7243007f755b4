"""ETags from revisions, and the preconditions that clients send with them (RFC 9110, 13)."""

import hashlib
import re

from flask import request

from taskmanager.core.documents import Expected
from taskmanager.core.errors import PreconditionRequired

# Flask-Compress appends the encoding to a strong ETag, as it must: two encodings are two representations.
# A revision is of the resource, whatever the encoding, so the suffix is taken off before comparing.
_TAG = re.compile(r'(?<![^\s,])(W/)?"([^"]*?)(?::(?:gzip|br|zstd|deflate))?"(?![^\s,])')
_REVISION = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.[0-9a-f]{16})?")


def etag_of(revision: int, embedded: bytes = b"") -> str:
    """The opaque part of a resource's strong ETag: its revision, and a digest of what is embedded."""
    return f"{revision}.{hashlib.blake2b(embedded, digest_size=8).hexdigest()}" if embedded else str(revision)


def expected() -> Expected:
    """The revisions that If-Match names; None for `*`. Raises PreconditionRequired when there is no If-Match.

    A weak tag never matches here (RFC 9110, 13.1.1), and neither does one that is no revision of ours.
    """
    header = request.headers.get("If-Match")
    if header is None:
        raise PreconditionRequired
    if header.strip() == "*":
        return None
    strong = [tag for weak, tag in _TAG.findall(header) if not weak]
    return frozenset(int(match[1]) for tag in strong if (match := _REVISION.fullmatch(tag)))


def unchanged(etag: str) -> bool:
    """Whether If-None-Match says that the client has this representation already."""
    header = request.headers.get("If-None-Match")
    if header is None or request.method not in ("GET", "HEAD"):
        return False
    return header.strip() == "*" or any(tag == etag for _, tag in _TAG.findall(header))
