"""Routes of deleted projects; `GET /projects?deleted=true` lists them."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.projects.schemas import PROJECT, ProjectOut, ProjectRestore
from taskmanager.features.projects.trash import service as trash
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match

blp = Blueprint("project-trash", __name__, scope="projects", description="Deleted projects")


@blp.route("/projects/<objectid:project_id>/restore", methods=["POST"])
@blp.arguments(ProjectRestore)
@blp.response(200, ProjectOut)
def restore_project(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Restore a project with its content from the trash

    Without effect if the project is not in the trash. 409 `project.key_taken` when another project has its key by now:
    send another `key` then; the keys of its tasks change too, and the tasks can still be found by their former keys.
    Webhooks, share links, members and reminders are as before; reminders whose time has passed are not sent. Its former
    child projects stay on the top level. Tasks that were in the trash before the project was deleted stay there, with
    their own time. Needs the role owner.
    """
    return answers.resource(trash.restore(project_id, **data, actor=current_actor()), PROJECT)


@blp.route("/trash/projects/<objectid:project_id>", methods=["DELETE"])
@blp.response(204)
def purge_project(project_id: ObjectId) -> Response:
    """Purge a project: delete it permanently, with its content

    It must be in the trash, and cannot be restored from now on; its files and tasks are deleted some time later. Needs
    the role owner.
    """
    trash.purge(project_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()
