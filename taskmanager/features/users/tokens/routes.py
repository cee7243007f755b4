"""Routes of API tokens and service accounts. They need a session: a token cannot make another."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.users.models import ApiToken
from taskmanager.features.users.tokens import service as api_tokens, service_accounts
from taskmanager.features.users.tokens.schemas import (
    API_TOKEN,
    NEW_API_TOKEN,
    SERVICE_ACCOUNT,
    ApiTokenIn,
    ApiTokenOut,
    NewApiToken,
    ServiceAccountIn,
    ServiceAccountOut,
    ServiceAccountPatch,
)
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of

own = Blueprint("tokens", __name__, url_prefix="/users/me/tokens", description="Your API tokens")
services = Blueprint("service_accounts", __name__, url_prefix="/service-accounts", description="Accounts of programs")

_ORDERS = {"created_at": "created_at"}


@own.route("", methods=["POST"], problems=(409,))
@own.arguments(ApiTokenIn)
@own.response(201, NewApiToken)
def create_token(data: dict[str, Any]) -> Response:
    """Make an API token

    Only this response shows the token. Send it as `Authorization: Bearer tm_…`. It has the rights that its scopes name,
    never more than you have, and cannot make tokens or access your sessions, password and second factor.
    """
    token, text = api_tokens.create(data, actor=current_actor())
    return _created(token, text, f"/users/me/tokens/{token.id}")


@own.route("")
@own.arguments(list_query(API_TOKEN, _ORDERS), location="query")
@own.response(200, page_of(ApiTokenOut))
def list_tokens(query: dict[str, Any]) -> Response:
    """List your API tokens

    The tokens themselves are never returned: only their names, scopes, ends and last uses.
    """
    return answers.listing(query, API_TOKEN, api_tokens.visible(current_actor().user_id))


@own.route("/<objectid:token_id>")
@own.arguments(item_query(API_TOKEN), location="query")
@own.response(200, ApiTokenOut)
def get_token(query: dict[str, Any], token_id: ObjectId) -> Response:
    """Get one of your API tokens

    The token itself is never returned.
    """
    return answers.resource(api_tokens.get(token_id, user_id=current_actor().user_id), API_TOKEN, query)


@own.route("/<objectid:token_id>", methods=["DELETE"])
@own.response(204)
def revoke_token(token_id: ObjectId) -> Response:
    """Revoke an API token

    It is refused from the next request on.
    """
    actor = current_actor()
    api_tokens.revoke(token_id, user_id=actor.user_id, if_match=if_match(), actor=actor)
    return answers.nothing()


@services.route("", methods=["POST"])
@services.arguments(ServiceAccountIn)
@services.response(201, ServiceAccountOut)
def create_service_account(data: dict[str, Any]) -> Response:
    """Make a service account

    For administrators. It has no password: it acts through API tokens and is added to projects by its id.
    """
    account = service_accounts.create(**data, actor=current_actor())
    return answers.created(account, SERVICE_ACCOUNT, f"/service-accounts/{account.id}")


@services.route("")
@services.arguments(list_query(SERVICE_ACCOUNT, _ORDERS), location="query")
@services.response(200, page_of(ServiceAccountOut))
def list_service_accounts(query: dict[str, Any]) -> Response:
    """List the service accounts

    For administrators.
    """
    return answers.listing(query, SERVICE_ACCOUNT, service_accounts.visible(current_actor()))


@services.route("/<objectid:account_id>")
@services.arguments(item_query(SERVICE_ACCOUNT), location="query")
@services.response(200, ServiceAccountOut)
def get_service_account(query: dict[str, Any], account_id: ObjectId) -> Response:
    """Get one service account

    For administrators.
    """
    return answers.resource(service_accounts.get(account_id, actor=current_actor()), SERVICE_ACCOUNT, query)


@services.route("/<objectid:account_id>", methods=["PATCH"])
@services.arguments(ServiceAccountPatch, content_type="application/merge-patch+json")
@services.response(200, ServiceAccountOut)
def update_service_account(changes: dict[str, Any], account_id: ObjectId) -> Response:
    """Rename, disable or enable a service account

    For administrators. The tokens of a disabled one are refused from the next request on.
    """
    account = service_accounts.update(account_id, changes, if_match=if_match(), actor=current_actor())
    return answers.resource(account, SERVICE_ACCOUNT)


@services.route("/<objectid:account_id>/tokens", methods=["POST"])
@services.arguments(ApiTokenIn)
@services.response(201, NewApiToken)
def create_service_token(data: dict[str, Any], account_id: ObjectId) -> Response:
    """Make an API token of a service account

    For administrators. Only this response shows the token.
    """
    token, text = service_accounts.create_token(account_id, data, actor=current_actor())
    return _created(token, text, f"/service-accounts/{account_id}/tokens/{token.id}")


@services.route("/<objectid:account_id>/tokens")
@services.arguments(list_query(API_TOKEN, _ORDERS), location="query")
@services.response(200, page_of(ApiTokenOut))
def list_service_tokens(query: dict[str, Any], account_id: ObjectId) -> Response:
    """List the API tokens of a service account

    For administrators.
    """
    user_id = service_accounts.account_of(account_id, actor=current_actor())
    return answers.listing(query, API_TOKEN, api_tokens.visible(user_id))


@services.route("/<objectid:account_id>/tokens/<objectid:token_id>")
@services.arguments(item_query(API_TOKEN), location="query")
@services.response(200, ApiTokenOut)
def get_service_token(query: dict[str, Any], account_id: ObjectId, token_id: ObjectId) -> Response:
    """Get one API token of a service account

    For administrators.
    """
    user_id = service_accounts.account_of(account_id, actor=current_actor())
    return answers.resource(api_tokens.get(token_id, user_id=user_id), API_TOKEN, query)


@services.route("/<objectid:account_id>/tokens/<objectid:token_id>", methods=["DELETE"])
@services.response(204)
def revoke_service_token(account_id: ObjectId, token_id: ObjectId) -> Response:
    """Revoke an API token of a service account

    For administrators. It is refused from the next request on.
    """
    actor = current_actor()
    user_id = service_accounts.account_of(account_id, actor=actor)
    api_tokens.revoke(token_id, user_id=user_id, if_match=if_match(), actor=actor)
    return answers.nothing()


def _created(token: ApiToken, text: str, path: str) -> Response:
    return answers.unstored(answers.created(token.as_row() | {"token": text}, NEW_API_TOKEN, path))
