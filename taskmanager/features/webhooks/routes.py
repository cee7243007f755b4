"""Routes of webhooks, of projects and of users for all their projects."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.core.storage.orders import Row
from taskmanager.features.tasks.filtering import stored as stored_filters
from taskmanager.features.tasks.filtering.budgets import expensive
from taskmanager.features.webhooks import service as webhooks
from taskmanager.features.webhooks.schemas import (
    DELIVERY,
    WEBHOOK,
    DeliveryOut,
    DeliveryWhole,
    Rotation,
    StateField,
    WebhookIn,
    WebhookMade,
    WebhookOut,
    WebhookPatch,
    whole,
)
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of

blp = Blueprint("webhooks", __name__, scope="webhooks", description="URLs to which events are sent")

_LIST = list_query(WEBHOOK, {"created_at": "created_at"})
_DELIVERIES = list_query(DELIVERY, {"created_at": "created_at"}, state=StateField())
_IN_PROJECT = "/projects/<objectid:project_id>/webhooks"
_ONE = "/webhooks/<objectid:webhook_id>"
_APART = ("failing_since",)  # changes while deliveries fail, without a new revision
_DELIVERY = f"{_ONE}/deliveries/<objectid:delivery_id>"


@blp.route("/webhooks", methods=["POST"])
@blp.arguments(WebhookIn)
@blp.response(201, WebhookMade)
@expensive
def create_webhook(data: dict[str, Any]) -> Response:
    """Create a webhook for all your projects

    Requests are signed by the Standard Webhooks specification with the `secret`, which only this response shows.
    """
    return _created(None, data)


@blp.route(_IN_PROJECT, methods=["POST"])
@blp.arguments(WebhookIn)
@blp.response(201, WebhookMade)
@expensive
def create_project_webhook(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Create a webhook for a project

    Needs the role manager. When its owner leaves the project it is disabled and given to an owner of the project.
    """
    return _created(project_id, data)


@blp.route("/webhooks")
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(WebhookOut))
def list_webhooks(query: dict[str, Any]) -> Response:
    """List your webhooks for all your projects

    Your own webhooks for all projects. Secrets are never returned.
    """
    return _listed(None, query)


@blp.route(_IN_PROJECT)
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(WebhookOut))
def list_project_webhooks(query: dict[str, Any], project_id: ObjectId) -> Response:
    """List the webhooks of a project

    Needs the role manager.
    """
    return _listed(project_id, query)


@blp.route(_ONE)
@blp.arguments(item_query(WEBHOOK), location="query")
@blp.response(200, WebhookOut)
def get_webhook(query: dict[str, Any], webhook_id: ObjectId) -> Response:
    """Get one webhook

    The secret is never returned: it can only be replaced.
    """
    return _one(webhooks.get(webhook_id, actor=current_actor()), query)


@blp.route(_ONE, methods=["PATCH"])
@blp.arguments(WebhookPatch, content_type="application/merge-patch+json")
@blp.response(200, WebhookOut)
@expensive
def update_webhook(changes: dict[str, Any], webhook_id: ObjectId) -> Response:
    """Change a webhook

    `active: true` also turns on a webhook that the service had disabled.
    """
    row = webhooks.update(webhook_id, changes, if_match=if_match(), actor=current_actor())
    return _one(row)


@blp.route(_ONE, methods=["DELETE"])
@blp.response(204)
def delete_webhook(webhook_id: ObjectId) -> Response:
    """Delete a webhook

    Its pending deliveries are not sent.
    """
    webhooks.delete(webhook_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route(f"{_ONE}/secret", methods=["PUT"])
@blp.arguments(Rotation)
@blp.response(200, WebhookMade)
def rotate_webhook_secret(data: dict[str, Any], webhook_id: ObjectId) -> Response:
    """Rotate the secret of a webhook

    For `keep_hours` requests have signatures by the old and the new secret, so that the receiver can switch at any
    time; 0 invalidates all earlier secrets at once.
    """
    row, secret = webhooks.rotate(webhook_id, data["keep_hours"], if_match=if_match(), actor=current_actor())
    return answers.unstored(answers.resource(row, WEBHOOK, embedded=row["current"] | {"secret": secret}, apart=_APART))


@blp.route(f"{_ONE}/test", methods=["POST"])
@blp.response(202, DeliveryOut)
@expensive
def test_webhook(webhook_id: ObjectId) -> Response:
    """Send a test event

    An event of the kind `webhook.test`. Its delivery is in the list of deliveries.
    """
    return answers.data(DELIVERY.dump(webhooks.test(webhook_id, actor=current_actor())), 202)


@blp.route(f"{_ONE}/deliveries", replicas="lists")
@blp.arguments(_DELIVERIES, location="query")
@blp.response(200, page_of(DeliveryOut))
def list_deliveries(query: dict[str, Any], webhook_id: ObjectId) -> Response:
    """List the deliveries of a webhook

    `state=dead` lists those that failed until the service gave up.
    """
    return answers.listing(query, DELIVERY, webhooks.visible_deliveries(webhook_id, query["state"], current_actor()))


@blp.route(_DELIVERY)
@blp.response(200, DeliveryWhole)
def get_delivery(webhook_id: ObjectId, delivery_id: ObjectId) -> Response:
    """Get one delivery with its body, attempts and responses

    With its body and its latest attempts: request, response and duration of each.
    """
    return answers.derived(whole(webhooks.get_delivery(webhook_id, delivery_id, actor=current_actor())))


@blp.route(f"{_DELIVERY}/replay", methods=["POST"])
@blp.response(202, DeliveryOut)
@expensive
def replay_delivery(webhook_id: ObjectId, delivery_id: ObjectId) -> Response:
    """Send a delivery again

    With the same `webhook-id` and body. 409 `delivery.pending` while it is pending, `webhook.off` or `webhook.disabled`
    while the webhook is off or disabled.
    """
    return answers.data(DELIVERY.dump(webhooks.replay(webhook_id, delivery_id, actor=current_actor())), 202)


def _created(project_id: ObjectId | None, data: dict[str, Any]) -> Response:
    row, secret = webhooks.create(project_id, data, actor=current_actor())
    body = WEBHOOK.dump(row) | row["current"] | {"secret": secret}
    return answers.unstored(answers.created_with(body, row["revision"], f"/webhooks/{row['_id']}"))


def _listed(project_id: ObjectId | None, query: dict[str, Any]) -> Response:
    names = query.get("fields")
    return answers.listing(
        query,
        WEBHOOK,
        webhooks.visible(project_id, current_actor()),
        embed=lambda rows: [stored_filters.asked(row, names) for row in rows],
    )


def _one(row: Row, query: dict[str, Any] | None = None) -> Response:
    current = stored_filters.asked(row, query and query.get("fields"))
    return answers.resource(row, WEBHOOK, query, embedded=current, apart=_APART)
