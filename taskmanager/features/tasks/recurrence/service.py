"""Use cases of recurring tasks: the next task of a series, and the expected occurrences."""

from collections.abc import Sequence, Set
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager.core.clock import LAST, now, shifted
from taskmanager.core.errors import Invalid
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.core.zones import zone
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.projects.service import TaskKey
from taskmanager.features.tasks import creation
from taskmanager.features.tasks.due import due_at, is_floating
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.recurrence import series
from taskmanager.features.tasks.recurrence.rules import Rule, Wall, parse
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.features.tasks.subtasks import DependentTasks

MAX_OCCURRENCES = 366
TIME_FIELDS = frozenset({"recurrence", "due", "due_timezone"})
_COPIED_FIELDS = (
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


def normalize(task: Task | None, changes: dict[str, Any], actor: Actor, *, timezone: str | None) -> dict[str, Any]:
    """Return `changes` with the fields of the recurrence: the normalized rule, its time zone and its time of day.

    `timezone` is that of the project. Raises Invalid when the task has no due, or the rule no occurrence after it.
    """
    if not changes.keys() & TIME_FIELDS:
        return changes
    due = changes.get("due", task and task.due)
    text = changes.get("recurrence", task and task.recurrence)
    if text is not None and not due:
        raise Invalid("body.recurrence", "A task without a due cannot recur.", code="task.recurrence_needs_due")
    if not due:
        return changes | {"due_timezone": None, "due_timezone_chosen": None, "recurs_at": None}
    due_timezone, chosen = _due_timezone(task, changes, due, actor)
    wall = _wall(due, due_timezone)
    time_of_day = None if wall.kind == "day" else wall.moment.time().isoformat()
    changes = changes | {"due_timezone": due_timezone, "due_timezone_chosen": chosen or None, "recurs_at": time_of_day}
    if text is None:
        return changes
    rule = _normalized(text, wall, due_timezone or timezone, given="recurrence" in changes)
    return changes | {"recurrence": rule}


def _due_timezone(task: Task | None, changes: dict[str, Any], due: str, actor: Actor) -> tuple[str | None, bool]:
    """Return the time zone of a due, and whether the service chose it: then it is that of the actor's account.

    A zone that a client gave, now or before, stays. A whole day or local time has no other.
    """
    stored = (task.due_timezone, bool(task.due_timezone_chosen)) if task else (None, False)
    timezone, chosen = (changes["due_timezone"], False) if "due_timezone" in changes else stored
    if timezone and not (chosen and is_floating(due)):
        return timezone, chosen
    return (None, False) if is_floating(due) else (actor.timezone, True)


def _normalized(text: str, wall: Wall, timezone: str | None, *, given: bool) -> str:
    rule = _parsed(text, given=given)
    if given and rule.next(wall.moment, wall.moment, zone(timezone)) is None:
        raise Invalid("body.recurrence", "The rule has no occurrence after the due.", code="task.recurrence_never")
    return rule.text()


def _parsed(text: str, *, given: bool) -> Rule:
    """Return the rule. Raises Invalid.

    Checks the year of UNTIL in a `given` rule only: earlier releases stored any year.
    """
    try:
        rule = parse(text)
        if given:
            rule.check_until()
        return rule
    except ValueError as error:
        raise Invalid("body.recurrence", str(error), code="task.recurrence_invalid") from None


def _wall(due: str, timezone: str | None) -> Wall:
    return Wall.of(due, zone(timezone) if timezone else None)


def create_next(tasks: Sequence[Task], actor: Actor, together: Set[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    """Create the next task of each recurring task that is completed, once: {task id: changes of the completed task}.

    The next task is due after the current due and after now, or counted from today. A cancelled task has none.
    Raises DependentTasks when its parent is changed `together` with the tasks.
    """
    recurring = [task for task in tasks if task.recurrence is not None and task.due is not None]
    if not recurring:
        return {}
    carried_on = series.carried_on(recurring)
    recurring = [task for task in recurring if task.id not in carried_on]
    if not together.isdisjoint(task.parent_id for task in recurring):
        raise DependentTasks
    rules = projects.rules_of({task.project_id for task in recurring})
    nexts = [_next_of(task, rules[task.project_id].timezone) for task in recurring]
    ended: dict[ObjectId, dict[str, Any]] = {task.id: {"next_task_id": None} for task in recurring}
    return ended | _create_successors([found for found in nexts if found], actor)


class _Next(NamedTuple):
    """A completed task, and the rule and the due of its next one."""

    task: Task
    rule: Rule
    due: str


def _next_of(task: Task, timezone: str) -> _Next | None:
    rule, due = parse(task.recurrence).counted(), _next_due(task, timezone)
    return None if rule is None or due is None else _Next(task, rule, due)


def _create_successors(nexts: Sequence[_Next], actor: Actor) -> dict[ObjectId, dict[str, Any]]:
    by_project: dict[ObjectId, list[_Next]] = {}
    for found in nexts:
        by_project.setdefault(found.task.project_id, []).append(found)
    pairs = [pair for project_id in sorted(by_project) for pair in _successors(project_id, by_project[project_id])]
    reminders.move_to_next(pairs)
    follows = [{"follows": [None, task.id]} for task, _ in pairs]
    creation.insert([successor for _, successor in pairs], actor, follows)
    return {
        task.id: {"next_task_id": successor.id, "withdrawn_id": None, "withdrawn_key": None}
        for task, successor in pairs
    }


def _successors(project_id: ObjectId, nexts: Sequence[_Next]) -> list[tuple[Task, Task]]:
    """Return the tasks of one project, each with its next task, not stored."""
    named = {user_id for found in nexts for user_id in (*found.task.assignee_ids, *found.task.watcher_ids)}
    # a former member may not be removed from the task yet
    member_ids = set(members.member_ids_among(project_id, list(named)))
    project, places = projects.allocate_keys(project_id, len(nexts))
    return [
        (found.task, _successor(found, member_ids, project, place)) for found, place in zip(nexts, places, strict=True)
    ]


def _successor(found: _Next, member_ids: set[ObjectId], project: Project, place: TaskKey) -> Task:
    task = found.task
    values = {name: getattr(task, name) for name in _COPIED_FIELDS}
    for field in ("assignee_ids", "watcher_ids"):
        values[field] = [user_id for user_id in values[field] if user_id in member_ids]
    values |= {"series_id": task.series_id or task.id, "recurrence": found.rule.text(), "due": found.due}
    values["start_at"] = task.start_at and _moved_start(task, found.due, project)
    task_id, key = _identity(task, project, place.key)
    return creation.new_task(project, place._replace(key=key), values, task_id=task_id)


def _moved_start(task: Task, due: str, project: Project) -> datetime | None:
    """Return the start of the next task, with the same local time to the due; None beyond the last year."""
    timezone = zone(task.due_timezone or project.timezone)
    before, later = (_wall(one, task.due_timezone).moment for one in (task.due, due))
    start = task.start_at.astimezone(timezone).replace(tzinfo=None)
    moved = shifted(start, later - before)
    return moved and moved.replace(tzinfo=timezone).astimezone(UTC)


def _identity(task: Task, project: Project, key: str) -> tuple[ObjectId, str]:
    """Return the id and key of the next task: those of a withdrawn one, or a new id and `key`."""
    if task.withdrawn_id and task.withdrawn_key.startswith(f"{project.key}-"):
        return task.withdrawn_id, task.withdrawn_key
    return ObjectId(), key


def _next_due(task: Task, project_timezone: str) -> str | None:
    wall = _wall(task.due, task.due_timezone)
    timezone = zone(task.due_timezone or project_timezone)
    present = wall.now(now(), timezone)
    rule, start = parse(task.recurrence), _at(wall.moment, task.recurs_at)
    if task.recurs_from == "completion":
        start = after = _at(present, task.recurs_at) if wall.kind != "day" else _day(present)
    else:
        after = max(start, _day(present) if wall.kind == "day" else present)
    found = rule.next(start, after, timezone)
    return wall.like(found) if found else None


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _at(moment: datetime, time_of_day: str | None) -> datetime:
    """Return the moment at the time of day of the series, which a change of the clock may have shifted in one task."""
    return datetime.combine(moment.date(), time.fromisoformat(time_of_day)) if time_of_day else moment


def occurrences(task_id: ObjectId, until: str | None, limit: int, *, actor: Actor) -> list[Row]:
    """Return the occurrences of a recurring task after its due: [{due, due_at}], at most `limit`, up to `until`.

    `until` has the form of a due; the default is a year after the current due. Raises NotFound.
    """
    task = Task.objects.visible_to(actor).one(task_id)
    if task.recurrence is None or task.due is None:
        return []
    timezone = projects.timezone_of(task.project_id)
    end = due_at(until, timezone) if until else shifted(task.due_at, timedelta(days=366)) or LAST
    wall, rule = _wall(task.due, task.due_timezone), parse(task.recurrence)
    start = _at(wall.moment, task.recurs_at)
    remaining, found = (rule.count or MAX_OCCURRENCES + 1) - 1, []
    for moment in islice(rule.upcoming(start, start, zone(task.due_timezone or timezone)), min(limit, remaining)):
        due = wall.like(moment)
        instant = due_at(due, timezone)
        if instant > end:
            break
        found.append({"due": due, "due_at": instant})
    return found
