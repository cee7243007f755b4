"""The page of a project with its tasks, and the start page with the projects and invitations of the user."""

from bson import ObjectId
from flask import Response

from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.storage.orders import Order
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.invitations import invited
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.pages import rendering
from taskmanager.pages.blueprint import page
from taskmanager.web.authentication.actors import current_actor

_MAX_ROWS = 100
_TASK = ("key", "title", "due")
_OPEN = f"status_group in ({', '.join(OPEN_GROUPS)})"


@page("")
def start() -> Response:
    """Return the start page."""
    actor = current_actor()
    found = projects.visible(actor).page(Order.by("name"), _MAX_ROWS, fields=("key", "name"))
    waiting = invited.visible(actor).page(Order.by("created_at"), _MAX_ROWS)
    return rendering.render("start.html", projects=found.rows, more=bool(found.next_key), invitations=waiting.rows)


@page("/projects/<objectid:project_id>")
def show(project_id: ObjectId) -> Response:
    """Return the page of a project that the user may see, with its latest open tasks."""
    actor = current_actor()
    project = projects.get(project_id, actor=actor, fields=["key", "name", "description"])
    visible = listing.visible(actor, project_id=project_id, condition=GivenFilter(parse(_OPEN, FIELDS)))
    found = visible.page(Order.by("-created_at"), _MAX_ROWS, fields=_TASK)
    return rendering.render(
        "project.html",
        project=project,
        role=actor.role_in(project_id),
        tasks=found.rows,
        more=bool(found.next_key),
    )
