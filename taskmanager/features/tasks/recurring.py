"""Use cases of tasks that come again: what follows one that is completed, and what is to be expected."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any

from bson import ObjectId

from taskmanager.core import fractional
from taskmanager.core.access import Actor
from taskmanager.core.clock import now
from taskmanager.core.errors import Invalid
from taskmanager.core.events import record
from taskmanager.core.querysets import Row
from taskmanager.core.zones import zone
from taskmanager.features.projects import service as projects
from taskmanager.features.tasks import reminders, subtasks
from taskmanager.features.tasks.due import due_at, is_floating
from taskmanager.features.tasks.events import TaskCreated
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.recurrence import Rule, Wall, parse, zone_of

MOST_OCCURRENCES = 366
_CARRIED = (
    "project_id",
    "title",
    "description",
    "priority",
    "label_ids",
    "assignee_ids",
    "watcher_ids",
    "reporter_id",
    "parent_id",
    "estimate_minutes",
    "due_timezone",
    "recurs_from",
    "recurs_at",
    "custom_fields",
)


def settle(task: Task | None, changes: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """`changes` with what belongs to a recurrence: the rule as it is stored, the zone and the time of day it keeps.

    Raises Invalid when there is no due, or the rule finds nothing after it.
    """
    if not changes.keys() & {"recurrence", "due", "due_timezone"}:
        return changes
    due = changes.get("due", task and task.due)
    text = changes.get("recurrence", task and task.recurrence)
    if text is not None and not due:
        raise Invalid("body.recurrence", "What has no due cannot come again.", code="task.recurrence_needs_due")
    if not due:
        return changes | {"due_timezone": None, "recurs_at": None}
    timezone = _timezone(task, changes, due, actor)
    wall = _wall(due, timezone)
    time_of_day = None if wall.kind == "day" else wall.moment.time().isoformat()
    changes = changes | {"due_timezone": timezone, "recurs_at": time_of_day}
    return changes if text is None else changes | {"recurrence": _settled(text, wall, actor)}


def _timezone(task: Task | None, changes: dict[str, Any], due: str, actor: Actor) -> str | None:
    """Whose clock a zoned due is on: as told, or that of the actor where the offset fits; None for its offset only."""
    if is_floating(due):
        return None
    told = changes.get("due_timezone")
    if told is None and task is not None and not changes.keys() & {"due", "due_timezone"}:
        told = task.due_timezone
    if told is None and zone_of(due, zone(actor.timezone)):
        return actor.timezone
    return told


def _settled(text: str, wall: Wall, actor: Actor) -> str:
    rule = _parsed(text)
    if rule.next(wall.moment, wall.moment, wall.zone or zone(actor.timezone)) is None:
        raise Invalid("body.recurrence", "This finds no day after the due.", code="task.recurrence_never")
    return rule.text()


def _parsed(text: str) -> Rule:
    try:
        return parse(text)
    except ValueError as error:
        raise Invalid("body.recurrence", str(error), code="task.recurrence_invalid") from None


def _wall(due: str, timezone: str | None) -> Wall:
    return Wall.of(due, zone(timezone) if timezone else None)


def follow(task: Task, actor: Actor) -> ObjectId | None:
    """Make what follows a recurring task that is being completed, once; answers its id, None when nothing follows.

    It is due after the present due and after now, or counted from today. Cancelled tasks are not followed.
    """
    if task.recurrence is None or task.due is None or task.next_task_id is not None:
        return task.next_task_id
    rule, due = parse(task.recurrence).counted(), _next_due(task, actor)
    if rule is None or due is None:
        return None
    made = _successor(task, rule, due, actor)
    made.save(force_insert=True)
    reminders.carry_over(task, made)
    subtasks.tell_parents(None, made, actor)
    record(TaskCreated(made, actor, {"assignee_ids": [[], made.assignee_ids], "follows": [None, task.id]}))
    return made.id


def _successor(task: Task, rule: Rule, due: str, actor: Actor) -> Task:
    project = projects.next_number(task.project_id)
    made = Task(
        id=ObjectId(),
        key=f"{project.key}-{project.last_number}",
        position=fractional.at(project.last_position),
        created_at=project.last_created_at,
        updated_at=project.last_created_at,
        status=project.workflow.first,
        status_group=project.workflow.group_of(project.workflow.first),
        series_id=task.series_id or task.id,
        recurrence=rule.text(),
        **{name: getattr(task, name) for name in _CARRIED},
    )
    for field, value in made.consequences({"due": due}).items():
        setattr(made, field, value)
    if task.start_at:
        made.start_at = task.start_at + (made.due_at - task.due_at)
    return made


def _next_due(task: Task, actor: Actor) -> str | None:
    wall = _wall(task.due, task.due_timezone)
    here = wall.zone or zone(actor.timezone)
    present = wall.now(now(), here)
    rule, start = parse(task.recurrence), _at(wall.moment, task.recurs_at)
    if task.recurs_from == "completion":
        start = after = _at(present, task.recurs_at) if wall.kind != "day" else _day(present)
    else:
        after = max(start, _day(present) if wall.kind == "day" else present)
    found = rule.next(start, after, here)
    return found and wall.like(found)


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _at(moment: datetime, time_of_day: str | None) -> datetime:
    """The moment at the time of day that the series keeps, also where a change of the clock had shifted one of it."""
    return datetime.combine(moment.date(), time.fromisoformat(time_of_day)) if time_of_day else moment


def occurrences(task_id: ObjectId, until: datetime | None, limit: int, *, actor: Actor) -> list[Row]:
    """What is to be expected of a recurring task after its due: [{due, due_at}], at most `limit` up to `until`.

    Without `until` for a year. Raises NotFound.
    """
    task = Task.objects.visible_to(actor).one(task_id)
    if task.recurrence is None or task.due is None:
        return []
    until = until or task.due_at + timedelta(days=366)
    wall, rule = _wall(task.due, task.due_timezone), parse(task.recurrence)
    start = _at(wall.moment, task.recurs_at)
    left, found = (rule.count or MOST_OCCURRENCES + 1) - 1, []
    for moment in islice(rule.upcoming(start, start, wall.zone or zone(actor.timezone)), min(limit, left)):
        due = wall.like(moment)
        if due_at(due) > until.astimezone(UTC):
            break
        found.append({"due": due, "due_at": due_at(due)})
    return found
