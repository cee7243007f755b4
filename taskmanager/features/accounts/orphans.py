"""What is left of things that are gone: documents whose owner, such as a task, a project or an account, is no more.

Whoever deletes an owner deletes what belongs to it. Yet a transaction that only reads the owner may commit beside the
one that deletes it, and earlier releases left things behind. So all that can be left is walked, little by little.
`tests/architecture/test_orphans.py` fails when a collection names an owner and is not in this list.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.registry import Part
from taskmanager.core.storage import walks
from taskmanager.core.storage.querysets import Row
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

_YOUNG = timedelta(hours=1)  # what is younger may be being made, or be about to be deleted by a job


class Dependent(NamedTuple):
    """Documents of `model` that belong to the `owner` whose id is in `field`; none where that is empty."""

    model: Any
    field: str
    owner: Any
    where: Mapping[str, Any] = MappingProxyType({})  # which of them

    @property
    def name(self) -> str:
        """Return the collection and the field."""
        return f"{self.model._get_collection_name()}.{self.field}"


_OF_TASKS = (Comment, Attachment, Reminder)
_OF_PROJECTS = (Label, CustomField, Membership, Invitation, ShareLink, View, Webhook, ProjectPreferences)
_OF_ACCOUNTS = (ApiToken, SecondFactor, Identity, Membership, Reminder, Inbox, Phone, Preferences, ProjectPreferences)
_OF_NO_PROJECT = MappingProxyType({"project_id": None})
DEPENDENTS = (
    *(Dependent(model, "task_id", Task) for model in _OF_TASKS),
    *(Dependent(Relation, field, Task) for field in ("from_id", "to_id")),
    *(Dependent(model, "project_id", Project) for model in _OF_PROJECTS),
    *(Dependent(model, "user_id", User) for model in _OF_ACCOUNTS),
    *(Dependent(model, "owner_id", User, _OF_NO_PROJECT) for model in (View, Webhook)),  # else the project keeps them
)
OWNED_MODELS: Part[Dependent] = Part("owned_models")


def walked() -> list[Dependent]:
    """Return all that is walked: what is listed here, and what plugins contribute."""
    return list(OWNED_MODELS.values())


def remove() -> int:
    """Remove what belongs to nothing any more, for some seconds; answers how much."""
    return sum(_remove(rows) for rows in walks.batches("orphans", _following, lambda row: row["place"]))


def _following(after: list[Any], limit: int) -> list[Row]:
    """Return what follows (number of a belonging, id), as {place, owner_id, _id}; also of the belongings after it."""
    found: list[Row] = []
    first, last_id = after or (0, None)
    for number, belonging in enumerate(walked()[first:], first):
        beyond = {"_id": {"$gt": last_id}} if number == first and last_id else {}
        owned = {belonging.field: {"$type": "objectId"}, "created_at": {"$lt": now() - _YOUNG}}
        rows = belonging.model._get_collection().find(
            beyond | owned | belonging.where, {belonging.field: 1}, sort=[("_id", 1)]
        )
        found += [
            {"place": [number, row["_id"]], "owner_id": row[belonging.field]} for row in rows.limit(limit - len(found))
        ]
        if len(found) == limit:
            break
    return found


def _remove(rows: Iterable[Row]) -> int:
    by_number: dict[int, dict[ObjectId, ObjectId]] = {}
    for row in rows:
        number, document_id = row["place"]
        by_number.setdefault(number, {})[document_id] = row["owner_id"]
    return sum(_remove_of(walked()[number], owners) for number, owners in by_number.items())


def _remove_of(belonging: Dependent, owners: dict[ObjectId, ObjectId]) -> int:
    """Remove those whose owner is not there; `owners` is {id: id of the owner}."""
    alive = {"deleted_at": None} if belonging.owner is User else {}
    known = set(belonging.owner.objects(__raw__={"_id": {"$in": list(set(owners.values()))}} | alive).scalar("id"))
    gone = [document_id for document_id, owner_id in owners.items() if owner_id not in known]
    if not gone:
        return 0
    remove_some = _ENDERS.get(belonging.model)
    return remove_some(gone) if remove_some else belonging.model.objects(id__in=gone).delete()


_ENDERS: dict[Any, Callable[[list[ObjectId]], int]] = {Attachment: attachments.delete_unreferenced}
