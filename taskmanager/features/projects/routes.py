"""Routes of projects and their members."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.projects import hierarchy, service as projects
from taskmanager.features.projects.budgets import invites
from taskmanager.features.projects.filtering.fields import FIELDS
from taskmanager.features.projects.invitations.schemas import INVITATION, InvitationOut
from taskmanager.features.projects.members import joining, removal, service as members
from taskmanager.features.projects.models import Invitation
from taskmanager.features.projects.schemas import (
    MEMBER,
    PROJECT,
    MemberIn,
    MemberOut,
    MemberPatch,
    PermissionsOut,
    Place,
    ProjectIn,
    ProjectOut,
    ProjectPatch,
)
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of
from taskmanager.web.schemas import QueryFlag

blp = Blueprint(
    "projects", __name__, scope="projects", url_prefix="/projects", description="Projects and their members"
)

_ORDERS = {"created_at": "created_at"}
_PROJECT_ORDERS = _ORDERS | {"position": "position", "name": "name", "key": "key_order", "deleted_at": "deleted_at"}
_DELETED = QueryFlag(load_default=False, metadata={"description": "Only deleted projects that you own"})


@blp.route("", methods=["POST"])
@blp.arguments(ProjectIn)
@blp.response(201, ProjectOut)
def create_project(data: dict[str, Any]) -> Response:
    """Make a project

    You become its owner. 409 `project.key_taken` when another project has the key.
    """
    project = projects.create(data, actor=current_actor())
    return answers.created(project, PROJECT, f"/projects/{project.id}")


@blp.route("")
@blp.arguments(list_query(PROJECT, _PROJECT_ORDERS, FIELDS, deleted=_DELETED), location="query")
@blp.response(200, page_of(ProjectOut))
def list_projects(query: dict[str, Any]) -> Response:
    """List the projects you are a member of

    Archived ones too; `?filter=archived_at is null` excludes them. With `deleted=true`: the deleted projects that you
    own, which you can restore until they are purged.
    """
    found = projects.visible(current_actor(), query.get("filter"), deleted=query["deleted"])
    return answers.listing(query, PROJECT, found)


@blp.route("/<objectid:project_id>")
@blp.arguments(item_query(PROJECT, deleted=_DELETED), location="query")
@blp.response(200, ProjectOut)
def get_project(query: dict[str, Any], project_id: ObjectId) -> Response:
    """Get one project

    Only owners get a deleted project, with `deleted=true`.
    """
    how = {"fields": PROJECT.stored(query.get("fields")), "deleted": query["deleted"]}
    return answers.resource(projects.get(project_id, actor=current_actor(), **how), PROJECT, query)


@blp.route("/<objectid:project_id>", methods=["PATCH"])
@blp.arguments(ProjectPatch, content_type="application/merge-patch+json")
@blp.response(200, ProjectOut)
def update_project(changes: dict[str, Any], project_id: ObjectId) -> Response:
    """Change a project

    JSON Merge Patch: absent fields stay, null clears a field. Needs the role manager.
    """
    return answers.resource(projects.update(project_id, changes, if_match=if_match(), actor=current_actor()), PROJECT)


@blp.route("/<objectid:project_id>", methods=["DELETE"])
@blp.response(204)
def delete_project(project_id: ObjectId) -> Response:
    """Delete a project with its tasks

    It goes to the trash: its owners list it at `GET /projects?deleted=true` and can restore it with
    `POST /projects/{project_id}/restore`, until it is purged. Its tasks are in no list, no notifications about it are
    sent, and its key is free. Needs the role owner.
    """
    projects.delete(project_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route("/<objectid:project_id>/archive", methods=["PUT"])
@blp.response(200, ProjectOut)
def archive_project(project_id: ObjectId) -> Response:
    """Archive a project

    It is then read-only: changes in it get 409 `project.archived`. `GET /tasks` excludes its tasks. Needs the role
    manager.
    """
    return answers.resource(hierarchy.archive(project_id, if_match=if_match(), actor=current_actor()), PROJECT)


@blp.route("/<objectid:project_id>/archive", methods=["DELETE"])
@blp.response(200, ProjectOut)
def unarchive_project(project_id: ObjectId) -> Response:
    """Take a project out of the archive

    Needs the role manager.
    """
    return answers.resource(hierarchy.unarchive(project_id, if_match=if_match(), actor=current_actor()), PROJECT)


@blp.route("/<objectid:project_id>/position", methods=["PUT"], conditional=False)
@blp.arguments(Place)
@blp.response(200, ProjectOut)
def place_project(where: dict[str, Any], project_id: ObjectId) -> Response:
    """Move a project before or after another

    `?sort=position` is the manual order, the same for all users. Needs the role manager.
    """
    project = hierarchy.place(project_id, **where, if_match=if_match(required=False), actor=current_actor())
    return answers.resource(project, PROJECT)


@blp.route("/<objectid:project_id>/permissions")
@blp.response(200, PermissionsOut)
def get_project_permissions(project_id: ObjectId) -> Response:
    """Get your permissions in a project

    The permissions of your role, and those of every role. The scopes of an API token or a share link limit them
    further.
    """
    return answers.derived(projects.permissions(project_id, actor=current_actor()))


@blp.route("/<objectid:project_id>/members", scope="members", methods=["POST"])
@blp.arguments(MemberIn)
@blp.response(201, MemberOut)
@blp.alt_response(202, schema=InvitationOut, description="The invitation: the user becomes a member by accepting it")
@invites
def add_member(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Add a member, or invite one

    By `user_id` or `email`. Users join by accepting: the response is 202 with an invitation. It is the same whether or
    not there is such an account, and contains only what you sent. The user is notified in the service and by mail, and
    accepts or refuses at `/invitations`. The response is 201, and the account is a member at once, if it shares a
    project with you, is a service account, or the operator permits it for all; but never by an unconfirmed address.

    Needs the role manager; members give no role above their own, and an API token does not give the role owner. 409
    `member.exists`; the limits of invitations are those of `POST /projects/{project_id}/invitations`.
    """
    made = joining.add_or_invite(project_id, **data, actor=current_actor())
    if isinstance(made, Invitation):
        return answers.created(made, INVITATION, f"/projects/{project_id}/invitations/{made.id}", status=202)
    return answers.created(made, MEMBER, f"/projects/{project_id}/members/{made['user_id']}")


@blp.route("/<objectid:project_id>/members", scope="members")
@blp.arguments(list_query(MEMBER, _ORDERS | {"name": "name"}), location="query")
@blp.response(200, page_of(MemberOut))
def list_members(query: dict[str, Any], project_id: ObjectId) -> Response:
    """List the members of a project

    Each with the role and the public profile.
    """
    return answers.listing(query, MEMBER, members.visible(project_id, current_actor()))


@blp.route("/<objectid:project_id>/members/<objectid:user_id>", scope="members")
@blp.arguments(item_query(MEMBER), location="query")
@blp.response(200, MemberOut)
def get_member(query: dict[str, Any], project_id: ObjectId, user_id: ObjectId) -> Response:
    """Get one member

    404 for a user who is no member.
    """
    return answers.resource(members.get(project_id, user_id, actor=current_actor()), MEMBER, query)


@blp.route("/<objectid:project_id>/members/<objectid:user_id>", scope="members", methods=["PATCH"])
@blp.arguments(MemberPatch, content_type="application/merge-patch+json")
@blp.response(200, MemberOut)
def update_member(data: dict[str, Any], project_id: ObjectId, user_id: ObjectId) -> Response:
    """Give a member another role

    409 `project.last_owner` when no owner would remain.
    """
    member = members.change_role(project_id, user_id, data["role"], if_match=if_match(), actor=current_actor())
    return answers.resource(member, MEMBER)


@blp.route("/<objectid:project_id>/members/<objectid:user_id>", scope="members", methods=["DELETE"])
@blp.response(204)
def remove_member(project_id: ObjectId, user_id: ObjectId) -> Response:
    """Remove a member, or leave yourself

    Their share links and the invitations they sent end at once. Soon after, they are removed from the tasks they were
    assigned to or watched, their reminders are deleted, and their webhooks of the project are disabled and given to an
    owner, who is notified. 409 `project.last_owner` when no owner would remain.
    """
    removal.remove(project_id, user_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()
