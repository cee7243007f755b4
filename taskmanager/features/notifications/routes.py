"""Routes of in-app notifications and notification preferences."""

from typing import Any

from bson import ObjectId
from flask import Response
from marshmallow import fields

from taskmanager.core.errors import TokenInvalid
from taskmanager.core.http import links
from taskmanager.features.notifications import service as notifications
from taskmanager.features.notifications.channels.email_channel import read_unsubscribe
from taskmanager.features.notifications.preferences import service as preferences
from taskmanager.features.notifications.schemas import (
    INBOX,
    NOTIFICATION,
    PREFERENCES,
    PROJECT_PREFERENCES,
    InboxOut,
    NotificationOut,
    PreferencesOut,
    PreferencesPatch,
    ProjectPreferencesOut,
    ProjectPreferencesPatch,
    UpTo,
)
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of
from taskmanager.web.schemas import QueryFlag, Schema

blp = Blueprint("notifications", __name__, scope="notifications", description="Notifications, and preferences for them")

_UNREAD = QueryFlag(load_default=False, metadata={"description": "Only unread notifications"})
_ONE = "/notifications/<objectid:notification_id>"
_UNSUBSCRIBED = (
    '<!doctype html><html lang="en"><title>Unsubscribed</title><p>You will get no more mails of this kind.</p>'
)
_IN_PROJECT = "/projects/<objectid:project_id>/notifications"


class UnsubscribeQuery(Schema):
    """The query of an unsubscribe link."""

    token = fields.String(required=True, metadata={"description": "The token of the link", "example": "tu_x"})


@blp.route("/notifications", replicas="lists")
@blp.arguments(list_query(NOTIFICATION, {"created_at": "created_at"}, unread=_UNREAD), location="query")
@blp.response(200, page_of(NotificationOut))
def list_notifications(query: dict[str, Any]) -> Response:
    """List your notifications

    Those of projects that you have left are not listed. `sort=-created_at` begins with the newest.
    """
    return answers.listing(query, NOTIFICATION, notifications.visible(current_actor(), unread=query["unread"]))


@blp.route(_ONE)
@blp.arguments(item_query(NOTIFICATION), location="query")
@blp.response(200, NotificationOut)
def get_notification(query: dict[str, Any], notification_id: ObjectId) -> Response:
    """Get one notification

    404 for a notification of another user.
    """
    return answers.resource(notifications.get(notification_id, actor=current_actor()), NOTIFICATION, query)


@blp.route(f"{_ONE}/read", methods=["PUT"], conditional=False)
@blp.response(200, NotificationOut)
def mark_notification_read(notification_id: ObjectId) -> Response:
    """Mark a notification as read

    Needs no If-Match. Nothing happens to one that is read already.
    """
    marked = notifications.mark(notification_id, True, if_match=if_match(required=False), actor=current_actor())
    return answers.resource(marked, NOTIFICATION)


@blp.route(f"{_ONE}/read", methods=["DELETE"], conditional=False)
@blp.response(200, NotificationOut)
def mark_notification_unread(notification_id: ObjectId) -> Response:
    """Mark a notification as unread

    Needs no If-Match. Nothing happens to one that is unread.
    """
    marked = notifications.mark(notification_id, False, if_match=if_match(required=False), actor=current_actor())
    return answers.resource(marked, NOTIFICATION)


@blp.route("/notifications/read")
@blp.response(200, InboxOut)
def get_unread_count() -> Response:
    """Get the number of your unread notifications

    Poll with the ETag in `If-None-Match`: the response is 304 while nothing has changed.
    """
    row, unread = notifications.inbox(actor=current_actor())
    return answers.resource(row, INBOX, embedded={"unread": unread})


@blp.route("/notifications/read", methods=["PUT"], problems=(404,), conditional=False)
@blp.arguments(UpTo)
@blp.response(200, InboxOut)
def mark_notifications_read(data: dict[str, Any]) -> Response:
    """Mark all notifications as read

    With `until` all up to that one, so that notifications which came later stay unread.
    """
    notifications.mark_all(data["until"], if_match=if_match(required=False), actor=current_actor())
    row, unread = notifications.inbox(actor=current_actor())
    return answers.resource(row, INBOX, embedded={"unread": unread})


@blp.route("/notifications/preferences")
@blp.response(200, PreferencesOut)
def get_notification_preferences() -> Response:
    """Get your notification preferences

    Which kinds of notifications each channel sends, the quiet hours and the digest.
    """
    return answers.resource(preferences.get_own(actor=current_actor()), PREFERENCES)


@blp.route("/notifications/preferences", methods=["PATCH"])
@blp.arguments(PreferencesPatch, content_type="application/merge-patch+json")
@blp.response(200, PreferencesOut)
def update_notification_preferences(changes: dict[str, Any]) -> Response:
    """Change your notification preferences

    Notices about your account itself are always sent by mail, and you are never notified of your own actions; neither
    can be chosen. Quiet hours and digests use the clock of your time zone. Quiet hours do not delay reminders or
    notifications within the service; digests collect notices that are not urgent.
    """
    return answers.resource(preferences.update(changes, if_match=if_match(), actor=current_actor()), PREFERENCES)


@blp.route(_IN_PROJECT)
@blp.response(200, ProjectPreferencesOut)
def get_project_notification_preferences(project_id: ObjectId) -> Response:
    """Get your notification preferences for a project

    What differs for this project: it can be muted or have another level.
    """
    return answers.resource(preferences.get_for_project(project_id, actor=current_actor()), PROJECT_PREFERENCES)


@blp.route(_IN_PROJECT, methods=["PATCH"])
@blp.arguments(ProjectPreferencesPatch, content_type="application/merge-patch+json")
@blp.response(200, ProjectPreferencesOut)
def update_project_notification_preferences(changes: dict[str, Any], project_id: ObjectId) -> Response:
    """Change your notification preferences for a project

    JSON Merge Patch; null stands for the default.
    """
    row = preferences.update_project(project_id, changes, if_match=if_match(), actor=current_actor())
    return answers.resource(row, PROJECT_PREFERENCES)


@blp.route("/notifications/unsubscribe", public=True, binary=True)
@blp.arguments(UnsubscribeQuery, location="query")
@blp.response(303)
def show_unsubscribe(query: dict[str, Any]) -> Response:
    """Go to the page that asks whether to unsubscribe from mails of a kind

    For mail programs that open the address in a browser. It changes nothing, because mail programs follow links by
    themselves.
    """
    response = answers.unstored(Response(status=303))
    response.headers["Location"] = links.unsubscribing(query["token"])
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blp.route("/notifications/unsubscribe", methods=["POST"], public=True, idempotent=False, binary=True, problems=(404,))
@blp.arguments(UnsubscribeQuery, location="query")
@blp.response(200, content_type="text/html")
def unsubscribe_address(query: dict[str, Any]) -> Response:
    """Unsubscribe from mails of a kind

    Mail programs send this request for a one-click "unsubscribe" (RFC 8058). It needs the token of the mail and no
    login; a repetition changes nothing.
    """
    found = read_unsubscribe(query["token"])
    if found is None:
        raise TokenInvalid
    preferences.unsubscribe(*found)
    return answers.unstored(Response(_UNSUBSCRIBED, content_type="text/html; charset=utf-8"))
