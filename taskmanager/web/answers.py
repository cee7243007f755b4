"""The responses of routes: one resource, a list, or nothing; with ETag, 304, Link and Location."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from flask import Response, request

from taskmanager.core.storage.documents import Versioned
from taskmanager.core.storage.listings import Listing
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import MAX_PAGE_BYTES, Page
from taskmanager.core.stored_rows import fitting
from taskmanager.extensions import keep_compressed
from taskmanager.web.conditional import PlainResponse, digest_of, etag_of, not_modified, unchanged
from taskmanager.web.cursors import make_cursor
from taskmanager.web.encoded_rows import encoded_rows
from taskmanager.web.pagination import PageRequest, next_link
from taskmanager.web.serialisers import Serialiser
from taskmanager.web.urls import mounted


def resource(
    item: Row | Versioned,
    serialiser: Serialiser,
    query: dict[str, Any] | None = None,
    *,
    status: int = 200,
    embedded: Row | None = None,
    apart: tuple[str, ...] = (),
) -> Response:
    """Return one resource with its strong ETag; 304 without a body when the client has this state.

    Embedded objects, and the fields in `apart`, change without a new revision, so the ETag then contains a digest of
    them after the revision.
    """
    row = item.as_row() if isinstance(item, Versioned) else item
    loose = {name: value for name, value in serialiser.only(apart)(row).items() if value} if apart else {}
    more = orjson.dumps(loose | (embedded or {})) if loose or embedded else b""
    etag = etag_of(row["revision"], more)
    if unchanged(etag):
        return not_modified(etag)
    dump = serialiser.only((query or {}).get("fields"))
    return _bytes(orjson.dumps(dump(row) | (embedded or {})), status, etag)


def created(item: Row | Versioned, serialiser: Serialiser, path: str, *, status: int = 201) -> Response:
    """Return 201 with the new resource and its Location: `path` within the API version of the request."""
    response = resource(item, serialiser, status=status)
    response.headers["Location"] = _within_version(path)
    return response


def created_with(body: Row, revision: int, path: str) -> Response:
    """Return 201 with a body that contains more than the new resource; ETag and Location are the resource's."""
    response = _bytes(orjson.dumps(body), 201, etag_of(revision))
    response.headers["Location"] = _within_version(path)
    return response


def _within_version(path: str) -> str:
    version = "/".join(request.path.split("/", 3)[:3])  # such as /api/v1; a route may be in several versions
    return mounted(version + path)


def collection(
    page: Page, serialiser: Serialiser, part: PageRequest, *, total: Any = False, embedded: list[Row] | None = None
) -> Response:
    """Return a page of a list, with `total` unless that is False; `embedded` has further members for each row.

    A page that ends before all rows were compared with its filter has `partial`.

    A page whose items have more than MAX_PAGE_BYTES ends early. The ETag is a digest of this caller's page, so a 304
    never hides a change.
    """
    items, page = _encoded_items(page, serialiser.list_item(part.names), part, embedded)
    cursor = make_cursor(page.next_key, part.bound) if page.next_key else None
    rest = {"next_cursor": cursor} | ({} if total is False else {"total": total})
    rest |= {"partial": True} if page.partial else {}
    encoded = b'{"items":' + items + b"," + orjson.dumps(rest)[1:]
    etag = digest_of(encoded)
    if unchanged(etag):
        return not_modified(etag)
    response = _bytes(encoded, 200, etag)
    if cursor:
        response.headers["Link"] = next_link(cursor)
    return response


def listing(
    query: Mapping[str, Any],
    serialiser: Serialiser,
    visible: Listing,
    *,
    needed: tuple[str, ...] = (),
    embed: Callable[[Sequence[Row]], list[Row]] | None = None,
) -> Response:
    """Return the page of `visible` that the list's `query` selects, with `total` when the query has `with_total`.

    `embed` returns further members for each row, and reads the stored fields `needed`.
    Raises Malformed for a cursor of another list, sort or filter.
    """
    part = PageRequest.of(query)
    page = visible.page(**part.page_of(serialiser, *needed))
    total = part.with_total and visible.total()
    return collection(page, serialiser, part, total=total, embedded=embed(page.rows) if embed else None)


def _encoded_items(
    page: Page, dump: Callable[[Row], Row], part: PageRequest, embedded: list[Row] | None
) -> tuple[bytes, Page]:
    """Return as many items as fit into a page, as a JSON array, and the page of these rows."""
    items = encoded_rows.items(dump, page.rows, embedded)
    if sum(map(len, items)) > MAX_PAGE_BYTES:
        items = items[: fitting(map(len, items), MAX_PAGE_BYTES)]
    return b"[" + b",".join(items) + b"]", page.first(len(items), part.order)


def data(body: Any, status: int = 200) -> Response:
    """Return a body that has no revision, such as tokens: no cache may store it."""
    return unstored(_bytes(orjson.dumps(body), status))


def encoded(body: bytes) -> Response:
    """Return a body that is JSON already and has no revision: no cache may store it."""
    return unstored(_bytes(body, 200))


def derived(body: Any) -> Response:
    """Return a body that is computed for this caller and has no revision: private, with a digest of it as ETag."""
    encoded = orjson.dumps(body)
    etag = digest_of(encoded)
    return not_modified(etag) if unchanged(etag) else _bytes(encoded, 200, etag)


def unstored(response: Response) -> Response:
    """Return `response`, which no cache may store, with `no-store`."""
    response.headers["Cache-Control"] = "no-store"
    return response


def cached(body: bytes, content_type: str, seconds: int = 300, *, etag: str | None = None) -> Response:
    """Return a public body that seldom changes: caches may store it for `seconds`, and revalidate it by its ETag.

    With 0 seconds they revalidate it at each use. It is compressed once by each process.
    """
    etag = etag or digest_of(body)
    response = not_modified(etag) if unchanged(etag) else _bytes(body, 200, etag)
    response.headers["Cache-Control"] = f"public, max-age={seconds}" if seconds else "public, no-cache"
    response.content_type = content_type
    keep_compressed(etag)
    return response


def immutable(body: bytes, content_type: str, etag: str) -> Response:
    """Return a public body whose path changes with it: caches store it for a year, and never revalidate it."""
    response = cached(body, content_type, etag=etag)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def accepted() -> Response:
    """Return 202 without a body: the result is sent by mail, and the response discloses nothing."""
    return Response(status=202)


def redirected(url: str) -> Response:
    """Return 307 to another address, which serves this request."""
    response = unstored(Response(status=307))
    response.headers["Location"] = url
    return response


def nothing() -> Response:
    """Return 204."""
    return Response(status=204)


def _bytes(body: bytes, status: int, etag: str | None = None) -> Response:
    response = PlainResponse(body, status, content_type="application/json")
    if etag is not None:
        response.set_etag(etag)
    return response
