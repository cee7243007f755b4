"""Routes of comments and their reactions."""

from collections.abc import Sequence
from typing import Any

from bson import ObjectId
from flask import Response
from marshmallow import fields

from taskmanager.core.clock import iso
from taskmanager.core.errors import NotFound
from taskmanager.core.storage.orders import Row
from taskmanager.features.comments import reactions, service as comments
from taskmanager.features.comments.markdown import MAX_TEXT_CHARACTERS
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of
from taskmanager.web.schemas import Id, Instant, QueryFlag, Schema, Text, UniqueIds
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("comments", __name__, scope="comments", description="Comments on tasks, and reactions")

_PATH = "/tasks/<objectid:task_id>/comments"
_ONE = f"{_PATH}/<objectid:comment_id>"
_TEXT = {
    "description": "Markdown. `@` with an email address or a user id mentions a member.",
    "example": "See *here*, @ada@example.com",
}


class CommentIn(Schema):
    """A new comment."""

    text = Text(most=MAX_TEXT_CHARACTERS, least=1, required=True, metadata=_TEXT)


class ReactionOut(Schema):
    """A reaction, and the users who gave it."""

    emoji = fields.String(required=True, metadata={"example": "👍"})
    user_ids = UniqueIds(most=10_000, required=True)


class CommentOut(Schema):
    """A comment."""

    id = Id(attribute="_id", required=True)
    task_id = Id(required=True)
    author_id = Id(required=True)
    text = Text(most=MAX_TEXT_CHARACTERS, required=True, metadata=_TEXT)
    mentioned_ids = UniqueIds(most=comments.MAX_MENTIONS, required=True)
    reactions = fields.List(fields.Nested(ReactionOut), required=True)
    edited_at = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class CommentRead(CommentOut):
    """A comment; with `html=true` also its text as safe HTML."""

    html = fields.String(metadata={"example": "<p>See <em>here</em></p>"})


class Version(Schema):
    """An earlier version of a comment."""

    text = Text(most=MAX_TEXT_CHARACTERS, required=True)
    until = Instant(required=True)


class VersionsOut(Schema):
    """The earlier versions of a comment, the oldest first."""

    items = fields.List(fields.Nested(Version), required=True)


COMMENT = Serialiser(CommentOut)
_HTML = QueryFlag(load_default=False, metadata={"description": "Add `html`, the text as safe HTML"})
_LIST = list_query(COMMENT, {"created_at": "created_at"}, html=_HTML)
_ITEM = type("CommentQuery", (item_query(COMMENT),), {"html": _HTML})


@blp.route(_PATH, methods=["POST"])
@blp.arguments(CommentIn)
@blp.response(201, CommentOut)
def create_comment(data: dict[str, Any], task_id: ObjectId) -> Response:
    """Comment on a task

    Mentioned members are notified. Needs the role commenter.
    """
    comment = comments.create(task_id, data["text"], actor=current_actor())
    return answers.created(comment, COMMENT, f"/tasks/{task_id}/comments/{comment.id}")


@blp.route(_PATH, replicas="lists")
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(CommentRead))
def list_comments(query: dict[str, Any], task_id: ObjectId) -> Response:
    """List the comments of a task

    The oldest first, unless `sort` says something else.
    """
    found = comments.visible(task_id, current_actor())
    if query["html"]:
        return answers.listing(query, COMMENT, found, embed=_html, needed=("text", "html"))
    return answers.listing(query, COMMENT, found)


@blp.route(_ONE)
@blp.arguments(_ITEM, location="query")
@blp.response(200, CommentRead)
def get_comment(query: dict[str, Any], task_id: ObjectId, comment_id: ObjectId) -> Response:
    """Get one comment

    404 when the comment belongs to another task.
    """
    row = comments.get(task_id, comment_id, actor=current_actor())
    return answers.resource(row, COMMENT, query, embedded=_html([row])[0] if query["html"] else None)


@blp.route(_ONE, methods=["PATCH"])
@blp.arguments(CommentIn, content_type="application/merge-patch+json")
@blp.response(200, CommentOut)
def update_comment(changes: dict[str, Any], task_id: ObjectId, comment_id: ObjectId) -> Response:
    """Change a comment of yours

    The earlier version is kept. Newly mentioned members are notified.
    """
    comment = comments.update(task_id, comment_id, changes["text"], if_match=if_match(), actor=current_actor())
    return answers.resource(comment, COMMENT)


@blp.route(_ONE, methods=["DELETE"])
@blp.response(204)
def delete_comment(task_id: ObjectId, comment_id: ObjectId) -> Response:
    """Delete a comment

    You can delete your own comments; with the role manager any comment.
    """
    comments.delete(task_id, comment_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route(f"{_ONE}/history")
@blp.response(200, VersionsOut)
def list_comment_versions(task_id: ObjectId, comment_id: ObjectId) -> Response:
    """List the earlier versions of a comment

    The last fifty versions, the oldest first.
    """
    versions = comments.history(task_id, comment_id, actor=current_actor())
    return answers.derived({"items": [version | {"until": iso(version["until"])} for version in versions]})


@blp.route(f"{_ONE}/reactions/<string:emoji>", methods=["PUT"], conditional=False)
@blp.response(200, CommentOut)
def add_reaction(task_id: ObjectId, comment_id: ObjectId, emoji: str) -> Response:
    """React to a comment with an emoji

    `+1` and `-1` are reactions too. Needs the role commenter.
    """
    return _reacted(task_id, comment_id, emoji, True)


@blp.route(f"{_ONE}/reactions/<string:emoji>", methods=["DELETE"], conditional=False)
@blp.response(200, CommentOut)
def remove_reaction(task_id: ObjectId, comment_id: ObjectId, emoji: str) -> Response:
    """Remove your reaction to a comment

    Only your own reaction is removed; without one nothing happens.
    """
    return _reacted(task_id, comment_id, emoji, False)


def _reacted(task_id: ObjectId, comment_id: ObjectId, emoji: str, given: bool) -> Response:
    reaction = reactions.canonical(emoji)
    if reaction is None:
        raise NotFound("This is not one emoji.")
    row = comments.react(task_id, comment_id, reaction, given, if_match=if_match(required=False), actor=current_actor())
    return answers.resource(row, COMMENT)


def _html(rows: Sequence[Row]) -> list[Row]:
    return [{"html": html} for html in comments.rendered(rows)]
