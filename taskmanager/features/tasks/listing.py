"""Use cases that list and count tasks, and the query that they share."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import NotFound, Unavailable
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.tokens import FilterError
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import bounded
from taskmanager.core.storage.orders import Filter, Order, Row
from taskmanager.core.storage.querysets import Page
from taskmanager.features.tasks.filtering import names as filter_names
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.filtering.names import FilterRequest
from taskmanager.features.tasks.filtering.pages import WHOLE_SECONDS, PageReader
from taskmanager.features.tasks.filtering.selectivity import compared, in_projects
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import TaskQuerySet

MAX_COMPARED = 10_000  # tasks that are compared with a filter for a total that takes too long; they are in no order


@dataclass(frozen=True)
class VisibleTasks:
    """The tasks of some projects that match a filter, or all of them: by pages, with a bound of their cost."""

    actor: Actor
    project_ids: list[ObjectId]
    condition: Filter
    scope: list[ObjectId]  # the projects in which names are looked up: conditions on the project may leave out some

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return a page. Raises Invalid for an unknown custom field, TooMany (`query.too_many`), Unavailable."""
        if any("." in field for field, _ in order.fields):
            return self._by_custom_field(order, limit, after, fields)
        condition = compared(self.condition)
        return PageReader(self.actor, self.project_ids, condition, order, limit, after, fields).page()

    def total(self) -> int | Row:
        """Return the number of tasks, or a lower bound of it when it takes too long to count them.

        Raises TooMany (`query.too_many`), Unavailable (`query.busy`, `query.too_slow`).
        """
        if not self.condition:
            return self._found().total()
        with expensive(self.actor):
            try:
                with bounded(WHOLE_SECONDS):
                    return self._found().total()
            except Unavailable:
                return {"value": self._first_matching(), "relation": "gte"}

    def _first_matching(self) -> int:
        """Return how many of the first MAX_COMPARED tasks match."""
        visible = Task.objects.in_projects(self.project_ids)
        found = visible.piped({"$limit": MAX_COMPARED}, {"$match": self.condition}, {"$count": "number"})
        return int(found[0]["number"]) if found else 0

    def _by_custom_field(
        self, order: Order, limit: int, after: Sequence[Any] | None, fields: Iterable[str] | None
    ) -> Page:
        """Return a page in an order that has no index: MongoDB sorts the tasks in memory."""
        filter_names.check_order([field for field, _ in order.fields], self.scope, "query.sort")
        with expensive(self.actor):
            return self._found().page(order, limit, after=after, fields=fields)

    def _found(self) -> TaskQuerySet:
        found = Task.objects.in_projects(self.project_ids)
        return found.filter(__raw__={"$and": [self.condition]}) if self.condition else found


def visible(actor: Actor, *, project_id: ObjectId | None = None, condition: GivenFilter | None = None) -> VisibleTasks:
    """Return the tasks of `matching`, for a list. Raises NotFound, Invalid."""
    projects = scope(actor, project_id)
    if condition is None:
        return VisibleTasks(actor, projects, {}, projects)
    node, context = filter_names.bind(condition, actor, _project_ids(actor, project_id))
    return VisibleTasks(actor, *in_projects(node.query(context), projects), projects)


def matching(condition: GivenFilter | None, actor: Actor, project_id: ObjectId | None = None) -> TaskQuerySet:
    """Return the tasks of a project that match a filter, or of all projects that the actor sees but the archived ones.

    Raises NotFound, Invalid for a filter with names that do not exist (see `filter_names.bind`).
    """
    found = Task.objects.in_projects(scope(actor, project_id))
    if condition is None:
        return found
    return found.matching(*filter_names.bind(condition, actor, _project_ids(actor, project_id)))


def matches(task_id: ObjectId, project_id: ObjectId, requests: Sequence[FilterRequest]) -> list[bool | FilterError]:
    """Return for each filter whether a task of a project matches it, or the error of a filter that cannot be read.

    All filters together cost one query, and one for each kind of name in them. Raises TooMany, Unavailable.
    """
    bound = filter_names.bind_each(requests)
    parts = {
        str(number): [{"$match": found[0].query(found[1])}, {"$project": {"_id": 1}}]
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


def scope(actor: Actor, project_id: ObjectId | None) -> list[ObjectId]:
    """Return one project, or all projects that the actor sees but the archived ones. Raises NotFound."""
    if project_id is None:
        return [key for key in actor.project_roles if key not in actor.archived]
    if actor.role_in(project_id) is None:
        raise NotFound
    return [project_id]
