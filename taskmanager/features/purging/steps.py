"""The steps that purge the documents of a project, run one after the other, all safe to repeat.

A step purges some documents, in commands and transactions of bounded size, and returns how many. It is called again
until it returns 0. A test compares the models that the steps name with all models.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bson import ObjectId
from mongoengine import Document
from mongoengine.queryset import QuerySet

from taskmanager.core.events import erasure
from taskmanager.core.events.log import Event
from taskmanager.core.registry import Part
from taskmanager.core.storage.chunked_updates import delete_some
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.comments.models import Comment
from taskmanager.features.notifications.models import Delivery, Notification, ProjectPreferences
from taskmanager.features.projects.invitations.service import PURPOSE
from taskmanager.features.projects.models import CustomField, Invitation, Label, Membership, ShareLink
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.relations.models import Relation
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.trash.purging import MAX_DOCUMENTS, MAX_TASKS, purge_of_project
from taskmanager.features.users.models import ApiToken
from taskmanager.features.users.one_time_tokens import OneTimeToken
from taskmanager.features.users.tokens import service as api_tokens
from taskmanager.features.views.models import View
from taskmanager.features.webhooks.models import Body, Webhook

Purge = Callable[[ObjectId], int]


@dataclass(frozen=True)
class Step:
    """A step of a purge. After it has returned 0, the collections of `models` have no documents of the project."""

    models: tuple[type[Document], ...]
    purge: Purge

    @property
    def name(self) -> str:
        """Return the name of the first collection."""
        return str(self.models[0]._get_collection_name())


def _all_of(model: type[Document]) -> Step:
    """Return the step for a model that only has to be deleted: no other documents depend on it."""
    return Step((model,), lambda project_id: delete_some(model.objects(project_id=project_id), MAX_DOCUMENTS))


def _webhooks(project_id: ObjectId) -> int:
    """Delete the deliveries to one webhook, including tests, and then the webhook."""
    webhook = Webhook.objects(project_id=project_id).first()
    if webhook is None:
        return 0
    number = _delete_deliveries(Delivery.objects(recipient_id=webhook.id, channel="webhook"))
    _delete_notices([webhook.id])
    return number or Webhook.objects(id=webhook.id).delete()


def _delete_notices(ids: list[ObjectId]) -> None:
    """Delete notifications and deliveries about these invitations or webhooks: they have no project id."""
    event_ids = list(Event.objects(subject_id__in=ids).scalar("id"))
    for model in (Notification, Delivery):
        model._get_collection().delete_many({"event_id": {"$in": event_ids}})


def _deliveries(project_id: ObjectId) -> int:
    """Delete the deliveries about the project, also those to members' webhooks for all their projects."""
    return _delete_deliveries(Delivery.objects(project_id=project_id))


def _delete_deliveries(found: QuerySet) -> int:
    """Delete some of these deliveries, and before them the bodies that were sent. Return how many."""
    rows = dict(found.limit(MAX_DOCUMENTS).scalar("id", "event_id"))
    if rows:
        Body._get_collection().delete_many({"_id": {"$in": list(rows.values())}})
        Delivery._get_collection().delete_many({"_id": {"$in": list(rows)}})
    return len(rows)


def _invitations(project_id: ObjectId) -> int:
    """Delete some invitations, and before them the tokens of their mails and the notifications about them."""
    ids = list(Invitation.objects(project_id=project_id).limit(MAX_TASKS).scalar("id"))
    _delete_notices(ids)
    OneTimeToken.objects(purpose=PURPOSE, subject_id__in=ids).delete()
    return delete_some(Invitation.objects(id__in=ids), MAX_DOCUMENTS)


def _events(project_id: ObjectId) -> int:
    """Erase the data of the project's events; audited events stay, and unfinished events keep their ids."""
    return 0 if erasure.erase_stream(f"project:{project_id}") else 1


PURGE_STEPS: Part[Step] = Part("purge_steps")
STEPS = (
    _all_of(ShareLink),
    Step((Invitation, OneTimeToken), _invitations),
    Step((Webhook,), _webhooks),
    Step((ApiToken,), lambda project_id: api_tokens.revoke_of_project(project_id, MAX_TASKS)),
    Step((Task, Comment, Attachment, Reminder, Relation), purge_of_project),
    _all_of(TaskCounts),
    _all_of(View),
    _all_of(Label),
    _all_of(CustomField),
    _all_of(ProjectPreferences),
    _all_of(Membership),
    _all_of(Notification),
    Step((Delivery, Body), _deliveries),
    Step((Event,), _events),
)
