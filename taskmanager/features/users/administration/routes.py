"""Routes of administrators. They need a session: an API token never has the global role."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.administration.schemas import (
    CHOOSING,
    USER_ADMIN,
    UserAdminIn,
    UserAdminOut,
    UserAdminPatch,
    UserListQuery,
)
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, page_of

blp = Blueprint("administration", __name__, url_prefix="/users", description="Accounts, for administrators")


@blp.route("")
@blp.arguments(UserListQuery, location="query")
@blp.response(200, page_of(UserAdminOut))
def list_users(query: dict[str, Any]) -> Response:
    """List all accounts

    For administrators. `q` matches the beginning of the address, of the name, or of a word of the name.
    """
    where = {name: query[name] for name in CHOOSING if name in query}
    return answers.listing(query, USER_ADMIN, administration.visible(current_actor(), **where))


@blp.route("", methods=["POST"])
@blp.arguments(UserAdminIn)
@blp.response(201, UserAdminOut)
def create_user(data: dict[str, Any]) -> Response:
    """Make an account for a person

    For administrators, under every policy of sign-up. With a `password` the address counts as confirmed. Without one, a
    mail lets its owner set a password, which confirms the address. 409 `user.email_taken` when it has an account.
    """
    user = administration.create(**data, actor=current_actor())
    return answers.created(user, USER_ADMIN, f"/users/{user.id}")


@blp.route("/<objectid:user_id>")
@blp.arguments(item_query(USER_ADMIN), location="query")
@blp.response(200, UserAdminOut)
def get_user(query: dict[str, Any], user_id: ObjectId) -> Response:
    """Get one account

    For administrators.
    """
    return answers.resource(administration.get(user_id, actor=current_actor()), USER_ADMIN, query)


@blp.route("/<objectid:user_id>", methods=["PATCH"], in_maintenance=True)
@blp.arguments(UserAdminPatch, content_type="application/merge-patch+json")
@blp.response(200, UserAdminOut)
def update_user(changes: dict[str, Any], user_id: ObjectId) -> Response:
    """Rename a user, change the role, disable or enable the account

    For administrators. Sessions of a disabled account end at once; a new role applies from the next request on. 409
    `user.last_admin` when no administrator would remain; `user.email_unverified` when the account would become an
    administrator and its address is not confirmed. In a maintenance, `disabled: true` and `role: user` work, and 503
    `service.maintenance` is the response to all else.
    """
    user = administration.update(user_id, changes, if_match=if_match(), actor=current_actor())
    return answers.resource(user, USER_ADMIN)


@blp.route("/<objectid:user_id>/sessions/end", methods=["POST"], in_maintenance=True)
@blp.response(204)
def end_user_sessions(user_id: ObjectId) -> Response:
    """Log a user out everywhere

    For administrators. API tokens remain valid: disable the account to stop these too.
    """
    administration.end_sessions(user_id, actor=current_actor())
    return answers.nothing()


@blp.route("/<objectid:user_id>/password-reset", methods=["POST"])
@blp.response(202)
def send_password_reset(user_id: ObjectId) -> Response:
    """Send a user a mail to set a new password

    For administrators.
    """
    administration.send_reset(user_id, actor=current_actor())
    return answers.accepted()
