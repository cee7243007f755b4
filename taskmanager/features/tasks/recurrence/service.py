"""Use cases of tasks that come again: what follows one that is completed, and what is to be expected."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import LAST, now, shifted
from taskmanager.core.errors import Invalid
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Row
from taskmanager.core.zones import zone
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks import creation
from taskmanager.features.tasks.due import due_at, is_floating
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.recurrence import series
from taskmanager.features.tasks.recurrence.rules import Rule, Wall, parse
from taskmanager.features.tasks.reminders import service as reminders

MAX_OCCURRENCES = 366
OF_TIME = frozenset({"recurrence", "due", "due_timezone"})
_CARRIED = (
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
    "due_timezone_chosen",
    "recurs_from",
    "recurs_at",
    "custom_fields",
)


def normalize(task: Task | None, changes: dict[str, Any], actor: Actor, *, place: str | None) -> dict[str, Any]:
    """Return `changes` with what belongs to a recurrence: the rule as it is stored, the zone and the time of day it
    keeps.

    `place` is the time zone of the project. Raises Invalid when there is no due, or the rule finds nothing after it.
    """
    if not changes.keys() & OF_TIME:
        return changes
    due = changes.get("due", task and task.due)
    text = changes.get("recurrence", task and task.recurrence)
    if text is not None and not due:
        raise Invalid("body.recurrence", "What has no due cannot come again.", code="task.recurrence_needs_due")
    if not due:
        return changes | {"due_timezone": None, "due_timezone_chosen": None, "recurs_at": None}
    timezone, chosen = _timezone(task, changes, due, actor)
    wall = _wall(due, timezone)
    time_of_day = None if wall.kind == "day" else wall.moment.time().isoformat()
    changes = changes | {"due_timezone": timezone, "due_timezone_chosen": chosen or None, "recurs_at": time_of_day}
    return (
        changes
        if text is None
        else changes | {"recurrence": _normalized(text, wall, timezone or place, given="recurrence" in changes)}
    )


def _timezone(task: Task | None, changes: dict[str, Any], due: str, actor: Actor) -> tuple[str | None, bool]:
    """Return on whose clock a due with a zone is, and whether the service chose it: that of the actor's account.

    One that was given, now or before, stays. A whole day or local time has none but a given one.
    """
    stored = (task.due_timezone, bool(task.due_timezone_chosen)) if task else (None, False)
    timezone, chosen = (changes["due_timezone"], False) if "due_timezone" in changes else stored
    if timezone and not (chosen and is_floating(due)):
        return timezone, chosen
    return (None, False) if is_floating(due) else (actor.timezone, True)


def _normalized(text: str, wall: Wall, clock: str | None, *, given: bool) -> str:
    rule = _parsed(text, given=given)
    if given and rule.next(wall.moment, wall.moment, zone(clock)) is None:
        raise Invalid("body.recurrence", "This finds no day after the due.", code="task.recurrence_never")
    return rule.text()


def _parsed(text: str, *, given: bool) -> Rule:
    """Return the rule; one that is `given` now, and not stored since earlier releases, ends in an allowed year."""
    try:
        rule = parse(text)
        if given:
            rule.check_until()
        return rule
    except ValueError as error:
        raise Invalid("body.recurrence", str(error), code="task.recurrence_invalid") from None


def _wall(due: str, timezone: str | None) -> Wall:
    return Wall.of(due, zone(timezone) if timezone else None)


def follow(task: Task, actor: Actor) -> dict[str, Any]:
    """Make what follows a recurring task that is being completed, once; returns the changes of the task.

    It is due after the present due and after now, or counted from today. Cancelled tasks are not followed.
    """
    if task.recurrence is None or task.due is None or series.is_carried_on(task):
        return {}
    place = projects.timezone_of(task.project_id)
    rule, due = parse(task.recurrence).counted(), _next_due(task, place)
    if rule is None or due is None:
        return {"next_task_id": None}
    made = _successor(task, rule, due, actor)
    reminders.carry_over(task, made)
    creation.insert(made, actor, follows=[None, task.id])
    return {"next_task_id": made.id, "withdrawn_id": None, "withdrawn_key": None}


def _successor(task: Task, rule: Rule, due: str, actor: Actor) -> Task:
    values = {name: getattr(task, name) for name in _CARRIED}
    for field in ("assignee_ids", "watcher_ids"):  # who has left may not be taken off the task before it yet
        values[field] = members.member_ids_among(task.project_id, values[field])
    project, (place,) = projects.next_places(task.project_id)
    values |= {"series_id": task.series_id or task.id, "recurrence": rule.text(), "due": due}
    values["start_at"] = task.start_at and _moved_start(task, due, project)
    task_id, key = _identity(task, project, place.key)
    return creation.new_task(project, place._replace(key=key), values, task_id=task_id)


def _moved_start(task: Task, due: str, project: Project) -> datetime | None:
    """Return the start as long before the due as it was, on the clock of the series; None beyond the last year."""
    clock = zone(task.due_timezone or project.timezone)
    before, later = (_wall(one, task.due_timezone).moment for one in (task.due, due))
    start = task.start_at.astimezone(clock).replace(tzinfo=None)
    moved = shifted(start, later - before)
    return moved and moved.replace(tzinfo=clock).astimezone(UTC)


def _identity(task: Task, project: Project, key: str) -> tuple[ObjectId, str]:
    """Return the id and key of what follows: those of the task that was withdrawn, or a new id and `key`."""
    if task.withdrawn_id and task.withdrawn_key.startswith(f"{project.key}-"):
        return task.withdrawn_id, task.withdrawn_key
    return ObjectId(), key


def _next_due(task: Task, place: str) -> str | None:
    wall = _wall(task.due, task.due_timezone)
    here = zone(task.due_timezone or place)
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
    """Return the moment at the time of day that the series keeps, also where a change of the clock had shifted one of
    it.
    """
    return datetime.combine(moment.date(), time.fromisoformat(time_of_day)) if time_of_day else moment


def occurrences(task_id: ObjectId, until: str | None, limit: int, *, actor: Actor) -> list[Row]:
    """Return what is to be expected of a recurring task after its due: [{due, due_at}], at most `limit` up to `until`.

    `until` has the form of a due. Without `until` for a year. Raises NotFound.
    """
    task = Task.objects.visible_to(actor).one(task_id)
    if task.recurrence is None or task.due is None:
        return []
    place = projects.timezone_of(task.project_id)
    end = due_at(until, place) if until else shifted(task.due_at, timedelta(days=366)) or LAST
    wall, rule = _wall(task.due, task.due_timezone), parse(task.recurrence)
    start = _at(wall.moment, task.recurs_at)
    left, found = (rule.count or MAX_OCCURRENCES + 1) - 1, []
    for moment in islice(rule.upcoming(start, start, zone(task.due_timezone or place)), min(limit, left)):
        due = wall.like(moment)
        instant = due_at(due, place)
        if instant > end:
            break
        found.append({"due": due, "due_at": instant})
    return found
