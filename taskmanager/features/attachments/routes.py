"""Routes of attachments. Contents are streamed in both directions; browsers must download and not display them."""

import re
from typing import Any
from urllib.parse import quote

import marshmallow as ma
from bson import ObjectId
from flask import Response, request
from flask_smorest.fields import Upload as UploadField
from marshmallow import fields
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from taskmanager.core.storage.orders import Row
from taskmanager.core.text import trimmed
from taskmanager.features.attachments import service as attachments, storage
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match, unchanged
from taskmanager.web.idempotency import once
from taskmanager.web.pagination import item_query, list_query, page_of
from taskmanager.web.schemas import Id, Instant, Schema
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("attachments", __name__, scope="tasks", description="Files of tasks")

_PATH = "/tasks/<objectid:task_id>/attachments"
_ONE = f"{_PATH}/<objectid:attachment_id>"
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MAX_NAME_CHARACTERS = 255


class AttachmentIn(Schema):
    """A file to attach."""

    file = UploadField(required=True)

    @ma.validates("file")
    def named(self, file: FileStorage, data_key: str) -> None:
        if not _name(file):
            raise ma.ValidationError("The file has no name.")


class AttachmentOut(Schema):
    """A file of a task; its content is at `…/content`."""

    id = Id(attribute="_id", required=True)
    task_id = Id(required=True)
    uploader_id = Id(required=True)
    name = fields.String(required=True, metadata={"example": "plan.pdf"})
    content_type = fields.String(
        required=True, metadata={"description": "As given in the upload", "example": "application/pdf"}
    )
    size = fields.Integer(required=True, metadata={"description": "Bytes"})
    sha256 = fields.String(required=True, metadata={"description": "Checksum of the content, in hexadecimal digits"})
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)


ATTACHMENT = Serialiser(AttachmentOut)


@blp.route(_PATH, methods=["POST"], idempotent="itself", problems=(413, 415))
@blp.arguments(AttachmentIn, location="files")
@blp.response(201, AttachmentOut)
def add_attachment(files: dict[str, FileStorage], task_id: ObjectId) -> Response:
    """Attach a file to a task

    The request is `multipart/form-data` with one part, `file`. 413 `attachment.too_large` beyond the configured size,
    422 `attachment.type_refused` for types that are not allowed. Needs the role member.
    """
    file, actor = files["file"], current_actor()
    upload = attachments.upload(task_id, _name(file), _type(file), file.stream, actor=actor)

    def attach() -> Response:
        attachment = attachments.add(task_id, upload, actor=actor)
        return answers.created(attachment, ATTACHMENT, f"/tasks/{task_id}/attachments/{attachment.id}")

    body = f"{upload.name}\n{upload.content_type}\n{upload.sha256}".encode()
    return attachments.attached_or_discarded(upload, lambda: once(attach, body))


@blp.route(_PATH, replicas="lists")
@blp.arguments(list_query(ATTACHMENT, {"created_at": "created_at", "name": "name"}), location="query")
@blp.response(200, page_of(AttachmentOut))
def list_attachments(query: dict[str, Any], task_id: ObjectId) -> Response:
    """List the attachments of a task

    Names, sizes and digests; the content is at `…/content`.
    """
    return answers.listing(query, ATTACHMENT, attachments.visible(task_id, current_actor()))


@blp.route(_ONE)
@blp.arguments(item_query(ATTACHMENT), location="query")
@blp.response(200, AttachmentOut)
def get_attachment(query: dict[str, Any], task_id: ObjectId, attachment_id: ObjectId) -> Response:
    """Get one attachment, without its content

    The content is at `…/content`. 404 when the attachment belongs to another task.
    """
    return answers.resource(attachments.get(task_id, attachment_id, actor=current_actor()), ATTACHMENT, query)


@blp.route(_ONE, methods=["DELETE"])
@blp.response(204)
def delete_attachment(task_id: ObjectId, attachment_id: ObjectId) -> Response:
    """Delete an attachment

    You can delete the attachments that you added; with the role manager any attachment.
    """
    attachments.delete(task_id, attachment_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route(f"{_ONE}/content", binary=True, problems=(416,))
@blp.response(200, description="The bytes", content_type="application/octet-stream")
@blp.alt_response(206, description="The requested range")
def get_attachment_content(task_id: ObjectId, attachment_id: ObjectId) -> Response:
    """Download the content of an attachment

    The response is always a download. Accepts `Range` (one range of bytes) and `If-Range`; the ETag is the SHA-256 of
    the content. 404 `attachment.content_missing` when the content is not in the store any more, 503
    `attachment.store_away` while the store is unavailable.
    """
    row = attachments.get(task_id, attachment_id, actor=current_actor())
    if unchanged(row["sha256"]):
        return _with_headers(Response(status=304), row)
    start, end, status = _range(row)
    stream = storage.current_store().read(row["content_id"], start, end)
    response = _with_headers(Response(stream, status, content_type="application/octet-stream"), row)
    response.headers["Content-Length"] = str(end - start)
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{row['size']}"
    return response


def _with_headers(response: Response, row: Row) -> Response:
    """Add the headers of a content, and return the response.

    Browsers must neither display a content nor guess its type. Compression would change the meaning of ranges.
    """
    plain = re.sub(r'[^\x20-\x7e]|["\\\\%]', "_", row["name"])
    response.headers |= {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(row['name'], safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
    }
    response.set_etag(row["sha256"])
    return response


def _range(row: Row) -> tuple[int, int, int]:
    """Return (first byte, byte after the last, status). Raises RequestedRangeNotSatisfiable.

    The range is the whole content, with 200, unless the request has a single range of bytes and If-Range matches
    (RFC 9110, 14.2, 13.1.5); Range applies to GET only.
    """
    size, requested = row["size"], request.range if request.method == "GET" else None
    condition = request.headers.get("If-Range")
    if requested is None or requested.units != "bytes" or len(requested.ranges) != 1:
        return 0, size, 200
    if condition is not None and condition.strip() != f'"{row["sha256"]}"':
        return 0, size, 200
    found = requested.range_for_length(size)
    if found is None:
        raise RequestedRangeNotSatisfiable(size)
    return found[0], found[1], 206


def _name(file: FileStorage) -> str:
    """Return the last part of the file name, without characters that could mislead users or file systems."""
    name = trimmed(re.split(r"[/\\\\]", _UNSAFE.sub("", file.filename or ""))[-1])
    return "" if name in (".", "..") else name[-_MAX_NAME_CHARACTERS:]


def _type(file: FileStorage) -> str:
    kind = (file.mimetype or "").lower()
    return kind if _TYPE.fullmatch(kind) else "application/octet-stream"
