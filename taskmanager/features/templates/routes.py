"""Route that copies a project."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.projects.schemas import PROJECT, ProjectIn, ProjectOut
from taskmanager.features.templates import service as templates
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.idempotency import once
from taskmanager.web.schemas import Flag

blp = Blueprint("copies", __name__, scope="projects", description="Copies of projects")


class CopyIn(ProjectIn):
    """The new project. Absent fields are copied from the original."""

    with_tasks = Flag(load_default=False, metadata={"description": "Copy the tasks too, at most 500"})


@blp.route("/projects/<objectid:project_id>/copy", methods=["POST"], idempotent="itself")
@blp.arguments(CopyIn)
@blp.response(201, ProjectOut)
def copy_project(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Copy a project

    Copies workflow, labels and custom fields; `with_tasks` also the tasks, which are open and unassigned in the copy.
    You become its owner; members are not copied. 409 `project.too_large` beyond 500 tasks.
    """
    with_tasks = data.pop("with_tasks")

    def run() -> Response:
        project = templates.copy(project_id, data, with_tasks=with_tasks, actor=current_actor())
        return answers.created(project, PROJECT, f"/projects/{project.id}")

    return once(run, seconds=templates.MAX_SECONDS)
