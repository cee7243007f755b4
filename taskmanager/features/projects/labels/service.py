"""Use cases of labels and custom fields, which both are a project's vocabulary."""

from typing import Any, Generic, TypeVar

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import quotas
from taskmanager.core.errors import Conflict, NotFound
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch, Versioned
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import (
    CustomFieldCreated,
    CustomFieldDeleted,
    CustomFieldUpdated,
    LabelCreated,
    LabelDeleted,
    LabelUpdated,
    ProjectFact,
)
from taskmanager.features.projects.models import CustomField, Label, Project
from taskmanager.features.projects.permissions import ProjectAction

Item = TypeVar("Item", bound=Versioned)


class ProjectVocabulary(Generic[Item]):
    """Use cases of one kind of document of a project. `word` begins the codes of errors: `label.taken`."""

    def __init__(
        self,
        document: type[Item],
        action: ProjectAction,
        facts: tuple[type[ProjectFact], type[ProjectFact], type[ProjectFact]],
        *,
        word: str,
        quota: str,
    ) -> None:
        self.document, self.action, self.word, self.quota = document, action, word, quota
        self._created, self._updated, self._deleted = facts

    def visible(self, project_id: ObjectId, actor: Actor) -> BaseQuerySet:
        """Return the items of a project. Raises NotFound unless the actor may see the project."""
        if actor.role_in(project_id) is None:
            raise NotFound
        return self.document.objects(project_id=project_id)

    def get(self, project_id: ObjectId, item_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
        """Return one item. Raises NotFound."""
        return self.visible(project_id, actor).row(item_id, fields)

    def create(self, project_id: ObjectId, data: dict[str, Any], *, actor: Actor) -> Item:
        """Make an item. Raises NotFound, Forbidden, Conflict (`….taken`, `quota.…`)."""
        return unit_of_work(self._create)(project_id, data, actor)

    def _create(self, project_id: ObjectId, data: dict[str, Any], actor: Actor) -> Item:
        authorize(actor, self.action, Project.objects.visible_to(actor).one(project_id))
        quotas.check_room(self.quota, self.document.objects(project_id=project_id), project_id)
        item = self.document(project_id=project_id, **data)
        try:
            item.save(force_insert=True)
        except NotUniqueError:
            raise self._taken() from None
        record(self._created(item, actor))
        return item

    def update(
        self, project_id: ObjectId, item_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor
    ) -> Item:
        """Change an item. Raises NotFound, Forbidden, PreconditionFailed, Conflict (`….taken`)."""
        return unit_of_work(self._update)(project_id, item_id, changes, if_match, actor)

    def _update(
        self, project_id: ObjectId, item_id: ObjectId, changes: dict[str, Any], if_match: IfMatch, actor: Actor
    ) -> Item:
        item = self._editable(project_id, item_id, if_match, actor)
        differences = item.differences(changes)
        if not differences:
            return item
        try:
            item = item.write(**{field: after for field, (_, after) in differences.items()})
        except NotUniqueError:
            raise self._taken() from None
        record(self._updated(item, actor, differences))
        return item

    def delete(self, project_id: ObjectId, item_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
        """Delete an item; a job removes it from the tasks. Raises NotFound, Forbidden, PreconditionFailed."""
        unit_of_work(self._delete)(project_id, item_id, if_match, actor)

    def _delete(self, project_id: ObjectId, item_id: ObjectId, if_match: IfMatch, actor: Actor) -> None:
        item = self._editable(project_id, item_id, if_match, actor)
        item.delete()
        record(self._deleted(item, actor))

    def _editable(self, project_id: ObjectId, item_id: ObjectId, if_match: IfMatch, actor: Actor) -> Item:
        item: Item = self.visible(project_id, actor).one(item_id)
        authorize(actor, self.action, item)
        item.check_revision(if_match)
        return item

    def _taken(self) -> Conflict:
        return Conflict("The project has one of this name already.", code=f"{self.word}.taken")


labels = ProjectVocabulary(
    Label, ProjectAction.MANAGE_LABELS, (LabelCreated, LabelUpdated, LabelDeleted), word="label", quota="labels"
)
custom_fields = ProjectVocabulary(
    CustomField,
    ProjectAction.EDIT,
    (CustomFieldCreated, CustomFieldUpdated, CustomFieldDeleted),
    word="custom_field",
    quota="custom_fields",
)
