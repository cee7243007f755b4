"""Routes of calendars."""

import hashlib
from typing import Any

from bson import ObjectId
from flask import Response, request

from taskmanager.core.configuration import settings
from taskmanager.features.calendars import service as calendars
from taskmanager.features.calendars.schemas import CalendarLinkOut, CalendarQuery
from taskmanager.features.tasks.filtering.budgets import expensive_by
from taskmanager.web import answers, limits
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import unchanged
from taskmanager.web.urls import absolute

# No API token may issue links, which show more than it may.
blp = Blueprint("calendars", __name__, description="Tasks with a due, for programs that subscribe to calendars")


def _link() -> str:
    """Return the key of a link, which programs fetch from the same few addresses; else of the address."""
    text = request.args.get("token", "")
    return f"calendar:{hashlib.sha256(text.encode()).hexdigest()}" if calendars.is_link(text) else limits.address()


_expensive = expensive_by(_link)
_OWN, _OF_PROJECT = "/users/me/calendar", "/projects/<objectid:project_id>/calendar"


@blp.route(_OWN)
@blp.response(200, CalendarLinkOut)
def get_calendar_links() -> Response:
    """Get the link to your calendar

    It has the tasks that are assigned to you. Programs that subscribe to it need no login: who knows the link reads it.
    404 `calendar.no_link` before you have issued links.
    """
    return answers.data({"url": _url(None)})


@blp.route(_OWN, methods=["PUT"], conditional="without revision")
@blp.response(200, CalendarLinkOut)
def issue_calendar_links() -> Response:
    """Issue new links to your calendars

    All earlier links, to your calendar and to those of projects, end.
    """
    calendars.issue(actor=current_actor())
    return answers.data({"url": _url(None)})


@blp.route(_OWN, methods=["DELETE"], conditional="without revision")
@blp.response(204)
def revoke_calendar_links() -> Response:
    """Revoke the links to your calendars

    Programs that have subscribed get 404 from now on.
    """
    calendars.revoke(actor=current_actor())
    return answers.nothing()


@blp.route(_OF_PROJECT)
@blp.response(200, CalendarLinkOut)
def get_project_calendar_link(project_id: ObjectId) -> Response:
    """Get the link to the calendar of a project

    It is yours: it ends when you leave the project, or issue new links. 404 `calendar.no_link` before you have issued
    links with `PUT /users/me/calendar`.
    """
    return answers.data({"url": _url(project_id)})


@blp.route(f"{_OWN}.ics", public=True, binary=True, problems=(404,))
@blp.arguments(CalendarQuery, location="query")
@blp.response(200, content_type="text/calendar")
@_expensive
def get_own_calendar(query: dict[str, Any]) -> Response:
    """Read your calendar (iCalendar)

    By the secret in its link. The tasks that are assigned to you and have a due: the next 1,000, and if there are
    fewer, the latest of the past year; descriptions end after 500 characters. What was deleted in the last 30 days is
    there as cancelled. `kind=todos` returns to-dos instead of events.
    """
    return _answer(query, None)


@blp.route(f"{_OF_PROJECT}.ics", public=True, binary=True, problems=(404,))
@blp.arguments(CalendarQuery, location="query")
@blp.response(200, content_type="text/calendar")
@_expensive
def get_project_calendar(query: dict[str, Any], project_id: ObjectId) -> Response:
    """Read the calendar of a project (iCalendar)

    By the secret in its link: all tasks of the project that have a due, as in your own calendar.
    """
    return _answer(query, project_id)


def _url(project_id: ObjectId | None) -> str:
    token = calendars.token(project_id, actor=current_actor())
    return absolute(f"{request.path}.ics?token={token}").replace("%3F", "?")


def _answer(query: dict[str, Any], project_id: ObjectId | None) -> Response:
    """Return the calendar; 304 without rendering it when the client has it."""
    shown = calendars.read(query["token"], project_id)
    etag = hashlib.blake2b(repr((query["kind"], shown)).encode(), digest_size=16).hexdigest()
    name = f"Task Manager: {shown.name}" if shown.name else "Task Manager"
    page = f"{settings.current().base_url}/pages/tasks"
    response = Response(status=304) if unchanged(etag) else Response(_rendered(shown, query["kind"], name, page))
    response.set_etag(etag)
    response.content_type = "text/calendar; charset=utf-8"
    return response


def _rendered(shown: calendars.Calendar, kind: str, name: str, page: str) -> bytes:
    from taskmanager.features.calendars import ical  # its library takes 3 MB, in processes that serve no calendar too

    return ical.render(shown, kind, name, page)
