"""Orphans: documents whose owner, such as a task, a project or an account, no longer exists.

The code that deletes an owner also deletes its dependents. But a transaction that only reads the owner may commit at
the same time, and earlier releases left orphans. So a periodic job reads all dependents, some in each round.
`tests/architecture/test_orphans.py` fails when a collection refers to an owner and is not in this list.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from bson import ObjectId
from mongoengine import Document

from taskmanager.core.clock import now
from taskmanager.core.registry import Part
from taskmanager.core.storage import walks
from taskmanager.core.storage.orders import Row
from taskmanager.features.attachments import service as attachments
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.comments.models import Comment
from taskmanager.features.notifications.models import Inbox, Phone, Preferences, ProjectPreferences
from taskmanager.features.projects.models import CustomField, Invitation, Label, Membership, Project, ShareLink
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.relations.models import Relation
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users.models import ApiToken, Identity, SecondFactor, User
from taskmanager.features.views.models import View
from taskmanager.features.webhooks.models import Webhook

_MIN_AGE = timedelta(hours=1)  # younger documents may be in the making, or a job may be about to delete them


class Dependent(NamedTuple):
    """Documents of `model` that belong to the document of `owner` whose id is in `field`, if it has a value."""

    model: type[Document]
    field: str
    owner: type[Document]
    where: Mapping[str, Any] = MappingProxyType({})  # a further condition on `model`

    @property
    def name(self) -> str:
        """Return the collection and the field."""
        return f"{self.model._get_collection_name()}.{self.field}"


_OF_TASKS = (Comment, Attachment, Reminder)
_OF_PROJECTS = (Label, CustomField, Membership, Invitation, ShareLink, View, Webhook, ProjectPreferences)
_OF_ACCOUNTS = (ApiToken, SecondFactor, Identity, Membership, Reminder, Inbox, Phone, Preferences, ProjectPreferences)
_OF_NO_PROJECT = MappingProxyType({"project_id": None})  # those of a project belong to the project
DEPENDENTS = (
    *(Dependent(model, "task_id", Task) for model in _OF_TASKS),
    *(Dependent(Relation, field, Task) for field in ("from_id", "to_id")),
    *(Dependent(model, "project_id", Project) for model in _OF_PROJECTS),
    *(Dependent(model, "user_id", User) for model in _OF_ACCOUNTS),
    *(Dependent(model, "owner_id", User, _OF_NO_PROJECT) for model in (View, Webhook)),
)
OWNED_MODELS: Part[Dependent] = Part("owned_models")


def walked() -> list[Dependent]:
    """Return all dependents: those in DEPENDENTS, and those that plugins contribute."""
    return list(OWNED_MODELS.values())


def remove() -> int:
    """Delete orphans for some seconds. Return how many were deleted."""
    return sum(_remove(rows) for rows in walks.batches("orphans", _rows_after, lambda row: row["position"]))


def _rows_after(after: list[Any], limit: int) -> list[Row]:
    """Return the next documents after the position [number of a dependent, id]: {position, owner_id}.

    If fewer than `limit` remain in a dependent, the documents of the next ones follow.
    """
    found: list[Row] = []
    first, last_id = after or (0, None)
    for number, dependent in enumerate(walked()[first:], first):
        beyond = {"_id": {"$gt": last_id}} if number == first and last_id else {}
        owned = {dependent.field: {"$type": "objectId"}, "created_at": {"$lt": now() - _MIN_AGE}}
        query = {**beyond, **owned, **dependent.where}
        rows = dependent.model._get_collection().find(query, {dependent.field: 1}, sort=[("_id", 1)])
        found += [
            {"position": [number, row["_id"]], "owner_id": row[dependent.field]}
            for row in rows.limit(limit - len(found))
        ]
        if len(found) == limit:
            break
    return found


def _remove(rows: Iterable[Row]) -> int:
    by_number: dict[int, dict[ObjectId, ObjectId]] = {}
    for row in rows:
        number, document_id = row["position"]
        by_number.setdefault(number, {})[document_id] = row["owner_id"]
    return sum(_remove_of(walked()[number], owners) for number, owners in by_number.items())


def _remove_of(dependent: Dependent, owners: dict[ObjectId, ObjectId]) -> int:
    """Delete the documents whose owner does not exist. `owners`: {id: id of the owner}. Return how many."""
    alive = {"deleted_at": None} if dependent.owner is User else {}
    known = set(dependent.owner.objects(__raw__={"_id": {"$in": list(set(owners.values()))}} | alive).scalar("id"))
    orphans = [document_id for document_id, owner_id in owners.items() if owner_id not in known]
    if not orphans:
        return 0
    delete = _DELETERS.get(dependent.model)
    return delete(orphans) if delete else int(dependent.model.objects(id__in=orphans).delete())


_DELETERS: dict[type[Document], Callable[[list[ObjectId]], int]] = {Attachment: attachments.delete_unreferenced}
