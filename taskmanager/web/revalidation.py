"""Lists that have not changed: 304 without reading their rows.

A list's ETag is a digest of the page, so the page must be made to compare it. This process keeps the ETags of pages
that clients asked for again (If-None-Match), each with the generation of what the page was made of. The next such
request reads only the generation: when it is the same, no change was committed since, by any process, and the page has
the ETag that is kept. A key contains all that the page depends on, so nothing that is kept can be outdated.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from flask import Response, request

from taskmanager.core.storage.database import causally_consistent
from taskmanager.web.conditional import unchanged

_MAX_PAGES = 10_000  # of a process; about 200 bytes each

_etags: OrderedDict[bytes, str] = OrderedDict()


def revalidated(generation: Callable[[], Any], answer: Callable[[], Response]) -> Response:
    """Return 304 when the client has the page, and the same generation had it; else the response of `answer`.

    `generation` returns what changes with everything that the page of this caller depends on besides the request; None
    when there is no such value. It is read before the page: a page may be newer than its generation, never older.
    """
    if "If-None-Match" not in request.headers:
        return answer()
    with causally_consistent():
        found = generation()
        if found is None:
            return answer()
        key = _key(found)
        etag = _etags.get(key)
        if etag is not None and unchanged(etag):
            return _not_modified(etag)
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


def _not_modified(etag: str) -> Response:
    response = Response(status=304)
    response.set_etag(etag)
    return response
