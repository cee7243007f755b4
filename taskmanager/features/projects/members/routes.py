"""The route that transfers a project to another owner. It needs a session: API tokens are refused."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.schemas import MEMBER, MemberOut, Transfer
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint

blp = Blueprint("ownership", __name__, url_prefix="/projects", description="The ownership of a project")


@blp.route("/<objectid:project_id>/transfer", methods=["POST"])
@blp.arguments(Transfer)
@blp.response(200, MemberOut)
def transfer_project(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Give a project to another member

    The member becomes an owner and you a manager. Needs the role owner and a session. 422 `project.not_a_member` for a
    user without membership. Returns the new membership.
    """
    return answers.resource(members.transfer(project_id, data["user_id"], actor=current_actor()), MEMBER)
