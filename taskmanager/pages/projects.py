"""The page of a project with its tasks, and the start page with the projects and invitations of the user."""

from bson import ObjectId
from flask import Response

from taskmanager.core.storage.orders import Order
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.invitations import invited
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks import listing
from taskmanager.pages import rendering
from taskmanager.pages.blueprint import page
from taskmanager.web.authentication.actors import current_actor

_MAX_ROWS = 100
_TASK = ("key", "title", "status_group", "due")


@page("")
def start() -> Response:
    """Return the start page."""
    actor = current_actor()
    found = projects.visible(actor).page(Order.by("name"), _MAX_ROWS, fields=("key", "name"))
    waiting = invited.visible(actor).page(Order.by("created_at"), _MAX_ROWS)
    return rendering.render("start.html", projects=found.rows, more=bool(found.next_key), invitations=waiting.rows)


@page("/projects/<objectid:project_id>")
def show(project_id: ObjectId) -> Response:
    """Return the page of a project that the user may see, with its latest tasks."""
    actor = current_actor()
    project = projects.get(project_id, actor=actor, fields=["key", "name", "description"])
    found = listing.visible(actor, project_id=project_id).page(Order.by("-created_at"), _MAX_ROWS, fields=_TASK)
    return rendering.render(
        "project.html",
        project=project,
        role=actor.role_in(project_id),
        tasks=[row for row in found.rows if row["status_group"] in OPEN_GROUPS],
        more=bool(found.next_key),
    )
