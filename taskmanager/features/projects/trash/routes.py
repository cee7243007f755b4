"""Routes of deleted projects. `GET /projects?deleted=true` lists them."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.projects.schemas import PROJECT, ProjectOut, ProjectRestore
from taskmanager.features.projects.trash import service as trash
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match

blp = Blueprint("project-trash", __name__, scope="projects", description="Projects that were deleted")


@blp.route("/projects/<objectid:project_id>/restore", methods=["POST"])
@blp.arguments(ProjectRestore)
@blp.response(200, ProjectOut)
def restore_project(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Take a project, with all that it had, out of the trash

    One that is not in the trash stays as it is. 409 `project.key_taken` when another project has got its key meanwhile:
    give another `key` then; the keys of its tasks follow, and the tasks are found by their former keys too. Webhooks,
    share links, members and reminders are as before; reminders whose time has passed meanwhile do not fire. What stood
    under it stays on the top level. Tasks that were in its trash before keep their own days there. Needs the role
    owner.
    """
    return answers.resource(trash.restore(project_id, **data, actor=current_actor()), PROJECT)


@blp.route("/trash/projects/<objectid:project_id>", methods=["DELETE"])
@blp.response(204)
def purge_project(project_id: ObjectId) -> Response:
    """Purge a project: delete it for good, with all that belongs to it

    It must be in the trash, and cannot be restored from now on; its files and tasks are gone some time later. Needs the
    role owner.
    """
    trash.purge(project_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()
