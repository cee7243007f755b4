"""ETags from revisions, and the preconditions that clients send with them (RFC 9110, 13).

Resources have no modification date, so If-Modified-Since and If-Unmodified-Since are ignored (13.1.3, 13.1.4).

Lists that have not changed: 304 without reading their rows.

A list's ETag is a digest of the page, so the page must be made to compare it. This process keeps the ETags of pages
that clients asked for again (If-None-Match), each with the generation of what the page was made of. The next such
request reads only the generation: when it is the same, no change was committed since, by any process, and the page has
the ETag that is kept. A key contains all that the page depends on, so nothing that is kept can be outdated.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from flask import Response, current_app, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from taskmanager.core.errors import PreconditionFailed, PreconditionRequired
from taskmanager.core.storage.database import causally_consistent
from taskmanager.core.storage.documents import AllBut, IfMatch
from taskmanager.core.telemetry.instruments import count_reads
from taskmanager.web.authentication.context import given_header

# A tag of this service names a revision or a digest, whatever the encoding of the body. So a tag as compressing proxies
# and Flask-Compress rewrite it (`W/"1"`, `"1-gzip"`, `"1;gzip"`, `"1:zstd"`) counts as `"1"`.
_CODINGS = "gzip|br|zstd|deflate|compress|dcb|dcz"
_TAG = re.compile(rf'(?<![^\s,])(?:W/)?"([^"]*?)(?:[-:;]{{1,2}}(?:{_CODINGS}))?"(?![^\s,])')
_REVISION = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.[0-9a-f]{16})?")
_READING = ("GET", "HEAD")
_IF_MATCH, _IF_NONE_MATCH = "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"


class PlainResponse(Response):
    """A response whose headers are sent as they are: the body is bytes, or none, and a Location is a path of ours.

    Werkzeug copies the headers of each response, to correct a Location, a Content-Length and the headers of a 304.
    """

    default_mimetype = None  # a 304 has no type

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        return self.headers


def not_modified(etag: str) -> Response:
    """Return a 304 with the strong ETag."""
    response = PlainResponse(status=304)
    response.set_etag(etag)
    return response


def digest_of(body: bytes) -> str:
    """Return the opaque part of the ETag of a body that has no revision: 128 bits of its SHA-256.

    Processors have instructions for SHA-256: it takes half the time of BLAKE2.
    """
    return hashlib.sha256(body).hexdigest()[:32]


def etag_of(revision: int, embedded: bytes = b"") -> str:
    """Return the opaque part of a resource's strong ETag: its revision, and a digest of embedded objects."""
    return f"{revision}.{hashlib.blake2b(embedded, digest_size=8).hexdigest()}" if embedded else str(revision)


def if_match(*, required: bool = True) -> IfMatch:
    """Return the revisions that If-Match and If-None-Match admit; None means all.

    A tag that is no revision matches nothing. Raises PreconditionRequired without If-Match, when it is `required`.
    """
    matched, refused = _tags(_IF_MATCH), _tags(_IF_NONE_MATCH)
    if refused == "*":
        return frozenset({0})  # only an item that is not stored yet (RFC 9110, 13.1.2)
    if matched is None and required:
        raise PreconditionRequired
    allowed, excluded = _revisions(matched), _revisions(refused) or frozenset()
    if allowed is not None:
        return allowed - excluded
    return AllBut(excluded) if excluded else None


def unchanged(etag: str) -> bool:
    """Return whether the client already has this representation, by If-None-Match (RFC 9110, 13.1.2)."""
    tags = _tags(_IF_NONE_MATCH)
    return tags is not None and request.method in _READING and (tags == "*" or etag in tags)


def check_read(response: Response) -> None:
    """Compare If-Match with the response of a GET (RFC 9110, 13.1.1). Raises PreconditionFailed."""
    tags = _tags(_IF_MATCH)
    if tags is None or tags == "*" or request.method not in _READING or response.status_code >= 400:
        return
    if str(response.get_etag()[0]) not in tags:
        raise PreconditionFailed


def check_without_revision() -> None:
    """Evaluate the preconditions of a POST, or of a change of what has no revision. Raises PreconditionFailed.

    The target exists, so If-Match with `*` holds; If-None-Match with `*` fails when it has a GET route.
    """
    matched, refused = _tags(_IF_MATCH), _tags(_IF_NONE_MATCH)
    if matched not in (None, "*") or (refused == "*" and _can_be_read()):
        raise PreconditionFailed


def _can_be_read() -> bool:
    try:
        return bool(current_app.create_url_adapter(request).match(method="GET"))  # type: ignore[union-attr]
    except HTTPException:
        return False


def _tags(name: str) -> str | list[str] | None:
    """Return the opaque tags in a header, as this service made them; `*`; None without the header."""
    header = given_header(name)
    if header is None:
        return None
    return "*" if header.strip() == "*" else _TAG.findall(header)


def _revisions(tags: str | list[str] | None) -> frozenset[int] | None:
    if tags is None or tags == "*":
        return None
    return frozenset(int(match[1]) for tag in tags if (match := _REVISION.fullmatch(tag)))


_MAX_PAGES = 10_000  # of a process; about 200 bytes each

_etags: OrderedDict[bytes, str] = OrderedDict()


def revalidated(generation: Callable[[], Any], answer: Callable[[], Response]) -> Response:
    """Return 304 when the client has the page, and the same generation had it; else the response of `answer`.

    `generation` returns what changes with everything that the page of this caller depends on besides the request; None
    when there is no such value. It is read before the page: a page may be newer than its generation, never older.
    """
    if given_header(_IF_NONE_MATCH) is None:
        return answer()
    with causally_consistent():
        found = generation()
        if found is None:
            return answer()
        key = _key(found)
        etag = _etags.get(key)
        is_kept = etag is not None and unchanged(etag)
        count_reads("unchanged lists", hits=is_kept, misses=not is_kept)
        if is_kept:
            return not_modified(str(etag))
        response = answer()
    if response.status_code in (200, 304):
        _keep(key, response.get_etag()[0])
    return response


def _key(generation: Any) -> bytes:
    text = repr((request.path, request.query_string, generation))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _keep(key: bytes, etag: str | None) -> None:
    if etag is not None:
        _etags[key] = etag
        if len(_etags) > _MAX_PAGES:
            _etags.popitem(last=False)
