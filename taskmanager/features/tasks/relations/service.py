"""Use cases of relations between tasks, also of different projects.

Each relation is visible from both ends, from the other end with the inverse kind. A user does not see a relation whose
other end they may not see. The kinds `blocks` and `precedes` make no cycles.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core.errors import Conflict, Invalid, NotFound
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Order, Row
from taskmanager.core.storage.querysets import Page
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.models import Project
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks.events import TaskFact
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.tasks.relations import acyclic
from taskmanager.features.tasks.relations.events import TaskRelated, TaskUnrelated
from taskmanager.features.tasks.relations.models import ACYCLIC, DIRECTED, INVERSES, Relation
from taskmanager.features.tasks.subtasks import DependentTasks

MAX_RELATIONS = 100  # of one task
_SUMMARY_FIELDS = ("key", "title", "status", "status_group")


@dataclass(frozen=True)
class Relations:
    """All relations of a task, from its end, by pages."""

    rows: list[Row]  # in the order they were made

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return a page; the rows are complete, whatever `fields` are requested."""
        backwards = order.fields[0][1]
        rows = self.rows[::-1] if backwards else self.rows
        if after:
            key = tuple(after)
            rows = [row for row in rows if (_sort_key(row) < key if backwards else _sort_key(row) > key)]
        return Page(rows[:limit], order.key_of(rows[limit - 1]) if len(rows) > limit else None)

    def total(self) -> int:
        """Return the number of relations."""
        return len(self.rows)


def visible(task_id: ObjectId, actor: Actor) -> Relations:
    """Return the relations of a task whose other end the actor may see too. Raises NotFound."""
    tasks = Task.objects.visible_to(actor)
    tasks.check_exists(task_id)
    relations = [*Relation.objects(from_id=task_id), *Relation.objects(to_id=task_id)]
    ids = [_other(relation, task_id) for relation in relations]
    others = {task.id: task for task in tasks.filter(id__in=ids).only("project_id", *_SUMMARY_FIELDS)} if ids else {}
    rows = [_row(relation, task_id, others[end]) for relation, end in zip(relations, ids, strict=True) if end in others]
    return Relations(sorted(rows, key=_sort_key))


def get(task_id: ObjectId, relation_id: ObjectId, *, actor: Actor) -> Row:
    """Return one relation, from the end of this task. Raises NotFound."""
    for row in visible(task_id, actor).rows:
        if row["_id"] == relation_id:
            return row
    raise NotFound


@unit_of_work
def create(task_id: ObjectId, kind: str, other_id: ObjectId, *, actor: Actor) -> Row:
    """Relate a task to another task that the actor sees.

    Raises NotFound, Forbidden, Invalid (`relation.task_unknown`, `relation.itself`), Conflict (`relation.exists`,
    `relation.cycle`, `relation.too_far`, `relation.too_many`).
    """
    task, other = _ends(task_id, other_id, actor)
    source, target, stored_kind = _directed(task, other, kind)
    if kind in DIRECTED:  # it changes the other task, for example blocks it: the actor must be allowed to edit that one
        authorize(actor, TaskAction.EDIT, source)
    projects.order_writers(task.project_id, other.project_id)
    if max(_number(task.id), _number(other.id)) >= MAX_RELATIONS:
        raise Conflict(f"A task has at most {MAX_RELATIONS} relations.", code="relation.too_many")
    if stored_kind in ACYCLIC:
        acyclic.check(source, target, stored_kind)
    relation = Relation(from_id=source.id, to_id=target.id, kind=stored_kind, created_by=actor.user_id)
    try:
        relation.save(force_insert=True)
    except NotUniqueError:
        raise Conflict("The two are related in this way already.", code="relation.exists") from None
    _record(TaskRelated, relation, source, target, actor)
    return _row(relation, task.id, other)


@unit_of_work
def delete(task_id: ObjectId, relation_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a relation. Raises NotFound, Forbidden, PreconditionFailed."""
    row = get(task_id, relation_id, actor=actor)
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.EDIT, task)
    relation = Relation.objects.one(row["_id"])
    relation.check_revision(if_match)
    other = Task.objects.one(_other(relation, task.id))
    projects.order_writers(task.project_id, other.project_id)
    relation.delete()
    source, target = (task, other) if relation.from_id == task.id else (other, task)
    _record(TaskUnrelated, relation, source, target, actor)


def check_blockers(tasks: Sequence[Task], actor: Actor, together: Set[ObjectId]) -> None:
    """Raise Conflict (`task.blocked`) while open tasks block one of these.

    `blockers` are those that the actor may see, `hidden` is the number of the others. Raises DependentTasks when one
    of the tasks whose status changes `together` with them blocks one.
    """
    ids = [task.id for task in tasks]
    rows = set(Relation.objects(to_id__in=ids, kind="blocks").scalar("to_id", "from_id")) if ids else set()
    ends = {from_id for _, from_id in rows}
    if not together.isdisjoint(ends):
        raise DependentTasks
    blockers = _alive(Task.objects.alive().filter(id__in=ends, status_group__in=OPEN_GROUPS)) if ends else []
    for task in tasks:
        own = [other for other in blockers if (task.id, other.id) in rows]
        if own:
            raise _blocked(own, actor)


def _blocked(blockers: list[Task], actor: Actor) -> Conflict:
    named = [
        {"id": str(other.id), "key": other.key, "title": other.title}
        for other in blockers
        if actor.role_in(other.project_id)
    ]
    hidden = len(blockers) - len(named)
    return Conflict("Open tasks block this one.", code="task.blocked", blockers=named, hidden=hidden)


def _alive(tasks: Iterable[Task]) -> list[Task]:
    found = list(tasks)
    projects = set(Project.objects(id__in={task.project_id for task in found}).alive().scalar("id"))
    return [task for task in found if task.project_id in projects]


def _ends(task_id: ObjectId, other_id: ObjectId, actor: Actor) -> tuple[Task, Task]:
    tasks = Task.objects.visible_to(actor)
    task: Task = tasks.one(task_id)
    authorize(actor, TaskAction.EDIT, task)
    if other_id == task_id:
        raise Invalid("body.task_id", "A task has no relation to itself.", code="relation.itself")
    other = tasks.filter(id=other_id).first()
    if other is None:
        raise Invalid("body.task_id", "You see no such task.", code="relation.task_unknown")
    return task, other


def _directed(task: Task, other: Task, kind: str) -> tuple[Task, Task, str]:
    if kind in DIRECTED:
        return other, task, DIRECTED[kind]
    if kind == INVERSES[kind] and other.id < task.id:
        return other, task, kind
    return task, other, kind


def _number(task_id: ObjectId) -> int:
    return Relation.objects(from_id=task_id).count() + Relation.objects(to_id=task_id).count()


def _sort_key(row: Row) -> tuple[datetime, ObjectId]:
    return row["created_at"], row["_id"]


def _other(relation: Relation, task_id: ObjectId) -> ObjectId:
    return relation.to_id if relation.from_id == task_id else relation.from_id


def _row(relation: Relation, task_id: ObjectId, other: Task) -> Row:
    kind = relation.kind if relation.from_id == task_id else INVERSES[relation.kind]
    summary = {"id": other.id, **{name: getattr(other, name) for name in _SUMMARY_FIELDS}}
    return {**relation.as_row(), "kind": kind, "task": summary}


def _record(fact: type[TaskFact], relation: Relation, source: Task, target: Task, actor: Actor) -> None:
    """Record an event for each end; it has only the id of the other task, which may be in another project."""
    for task, other, kind in ((source, target, relation.kind), (target, source, INVERSES[relation.kind])):
        record(fact(task, actor, {kind: [None, other.id] if fact is TaskRelated else [other.id, None]}))
