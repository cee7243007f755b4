"""Use cases that list and count tasks, and the query that they share."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import NotFound
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.tokens import FilterError
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Order, Page, Row
from taskmanager.features.tasks.filtering import names as filter_names
from taskmanager.features.tasks.filtering.expensive import bounded_query, expensive
from taskmanager.features.tasks.filtering.names import FilterRequest
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import TaskQuerySet, query_of


@dataclass(frozen=True)
class VisibleTasks:
    """The tasks of a project, or all that the actor may see, that match a filter: by pages, with a time limit."""

    found: TaskQuerySet
    actor: Actor
    project_id: ObjectId | None
    filtered: bool

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return a page. Raises Invalid for an unknown custom field, TooMany (`query.too_many`), Unavailable."""
        by_custom_field = any("." in field for field, _ in order.fields)
        if by_custom_field:
            names = [field for field, _ in order.fields]
            filter_names.check_order(names, _project_ids(self.actor, self.project_id), "query.sort")
        with self._bounds(by_custom_field or self.found.reads_documents):
            return self.found.page(order, limit, after=after, fields=fields, hinted=not by_custom_field)

    def total(self) -> int | Row:
        """Return the number of tasks. Raises TooMany (`query.too_many`), Unavailable (`query.too_slow`)."""
        with expensive(self.actor) if self.filtered else nullcontext():
            return self.found.total()

    def _bounds(self, is_expensive: bool) -> AbstractContextManager[None]:
        if is_expensive:
            return expensive(self.actor)
        return bounded_query() if self.filtered else nullcontext()


def visible(actor: Actor, *, project_id: ObjectId | None = None, condition: GivenFilter | None = None) -> VisibleTasks:
    """Return the tasks of `matching`, for a list. Raises NotFound, Invalid."""
    return VisibleTasks(matching(condition, actor, project_id), actor, project_id, condition is not None)


def matching(condition: GivenFilter | None, actor: Actor, project_id: ObjectId | None = None) -> TaskQuerySet:
    """Return the tasks of a project that match a filter, or of all projects that the actor sees but the archived ones.

    Raises NotFound, Invalid for a filter with names that do not exist (see `filter_names.bind`).
    """
    found = _in_scope(actor, project_id)
    if condition is None:
        return found
    return found.matching(*filter_names.bind(condition, actor, _project_ids(actor, project_id)))


def matches(task_id: ObjectId, project_id: ObjectId, requests: Sequence[FilterRequest]) -> list[bool | FilterError]:
    """Return for each filter whether a task of a project matches it, or the error of a filter that cannot be read.

    All filters together cost one query, and one for each kind of name in them. Raises TooMany, Unavailable.
    """
    bound = filter_names.bind_each(requests)
    parts = {
        str(number): [{"$match": query_of(*found)}, {"$project": {"_id": 1}}]
        for number, found in enumerate(bound)
        if not isinstance(found, FilterError)
    }
    rows = Task.objects.in_project(project_id).filter(id=task_id).piped({"$facet": parts}) if parts else [{}]
    return [
        found if isinstance(found, FilterError) else bool(rows[0].get(str(number)))
        for number, found in enumerate(bound)
    ]


def _project_ids(actor: Actor, project_id: ObjectId | None) -> Collection[ObjectId]:
    """Return the projects in which names are looked up."""
    return [project_id] if project_id else list(actor.project_roles)


def _in_scope(actor: Actor, project_id: ObjectId | None) -> TaskQuerySet:
    if project_id is None:
        return Task.objects.current_of(actor)
    if actor.role_in(project_id) is None:
        raise NotFound
    return Task.objects.in_project(project_id)
