"""Routes of share links. Managing them needs a session: their tokens let other people read the project."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.features.projects.share_links import service as share_links
from taskmanager.features.projects.share_links.schemas import (
    SHARE_LINK,
    Opening,
    ShareLinkIn,
    ShareLinkOut,
    ShareLinkPatch,
    VisitOut,
)
from taskmanager.web import answers, limits
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of

links = Blueprint(
    "share_links", __name__, url_prefix="/projects", description="Links that let people without an account read"
)
visits = Blueprint("visits", __name__, url_prefix="/share-links", description="Opening share links")

_ORDERS = {"created_at": "created_at"}
_hashing = limiter.limit(
    lambda: settings.current().ratelimit_secret, key_func=limits.caller, exempt_when=limits.sets_no_password
)


@links.route("/<objectid:project_id>/share-links", methods=["POST"])
@links.arguments(ShareLinkIn)
@links.response(201, ShareLinkOut)
@_hashing
def create_share_link(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Make a share link

    Visitors of a link without a password only send its `token`, as `Authorization: Bearer tl_…`. Visitors of a link
    with a password open it first. Needs the role manager and a session.
    """
    link = share_links.create(project_id, data, actor=current_actor())
    path = f"/projects/{project_id}/share-links/{link['_id']}"
    return answers.unstored(answers.created(link, SHARE_LINK, path))


@links.route("/<objectid:project_id>/share-links")
@links.arguments(list_query(SHARE_LINK, _ORDERS), location="query")
@links.response(200, page_of(ShareLinkOut))
def list_share_links(query: dict[str, Any], project_id: ObjectId) -> Response:
    """List the share links of a project

    Needs the role manager and a session.
    """
    return answers.unstored(answers.listing(query, SHARE_LINK, share_links.visible(project_id, current_actor())))


@links.route("/<objectid:project_id>/share-links/<objectid:link_id>")
@links.arguments(item_query(SHARE_LINK), location="query")
@links.response(200, ShareLinkOut)
def get_share_link(query: dict[str, Any], project_id: ObjectId, link_id: ObjectId) -> Response:
    """Get one share link

    Needs the role manager. The token in its URL was returned once, when the link was made.
    """
    link = share_links.get(project_id, link_id, actor=current_actor())
    return answers.unstored(answers.resource(link, SHARE_LINK, query))


@links.route("/<objectid:project_id>/share-links/<objectid:link_id>", methods=["PATCH"])
@links.arguments(ShareLinkPatch, content_type="application/merge-patch+json")
@links.response(200, ShareLinkOut)
@_hashing
def update_share_link(changes: dict[str, Any], project_id: ObjectId, link_id: ObjectId) -> Response:
    """Change a share link

    Applies from the visitors' next request on. Null clears the name, the password and the time when it expires.
    """
    link = share_links.update(project_id, link_id, changes, if_match=if_match(), actor=current_actor())
    return answers.unstored(answers.resource(link, SHARE_LINK))


@links.route("/<objectid:project_id>/share-links/<objectid:link_id>", methods=["DELETE"])
@links.response(204)
def delete_share_link(project_id: ObjectId, link_id: ObjectId) -> Response:
    """Delete a share link

    Its visitors are refused from their next request on.
    """
    share_links.delete(project_id, link_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@visits.route("/open", methods=["POST"], public=True, idempotent=False, in_maintenance=True, problems=(401,))
@visits.arguments(Opening)
@visits.response(200, VisitOut)
@limiter.limit(lambda: settings.current().ratelimit_open_address, key_func=limits.address)
@limiter.limit(lambda: settings.current().ratelimit_open_link, key_func=limits.shared_link)
def open_share_link(data: dict[str, Any]) -> Response:
    """Open a share link

    The visitor sends the `access_token` of the response with later requests. The visit ends after an hour, or at once
    when the link is deleted, expires, or gets another password. 401 `share_link.wrong_password` when the password is
    wrong. A repetition begins another visit; visits are not stored.
    """
    visit = share_links.open_link(data["token"], data.get("password"))
    return answers.data(
        {
            "access_token": visit.access_token,
            "token_type": "Bearer",
            "expires_in": visit.seconds,
            "project_id": str(visit.link.project_id),
            "role": visit.link.role,
        }
    )
