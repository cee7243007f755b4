"""Use cases of reminders. Each belongs to one user, and only that user sees it.

A whole day counts from nine in the morning in the zone of the user; any other due is the moment `due_at`.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core import quotas
from taskmanager.core.clock import milliseconds, now, shifted
from taskmanager.core.errors import Conflict, PreconditionFailed
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.zones import zone
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.events import ReminderChanged, ReminderDeleted, ReminderFired, ReminderSet
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users import service as users

MAX_REMINDERS = 20  # of one user for one task
_BATCH = 100
_MAX_SECONDS = 4  # of one run, so that the scheduler's other jobs are not delayed
_TIME_FIELDS = {"start": {"start_at"}, "due": {"due", "due_at"}}
_DAY_BEGINS = timedelta(hours=9)


def visible(task_id: ObjectId, actor: Actor) -> BaseQuerySet:
    """Return the actor's own reminders of a task. Raises NotFound unless the actor may see the task."""
    Task.objects.visible_to(actor).check_exists(task_id)
    return Reminder.objects(task_id=task_id, user_id=actor.user_id)


def get(task_id: ObjectId, reminder_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """Return one of the actor's reminders. Raises NotFound."""
    return visible(task_id, actor).row(reminder_id, fields)


@unit_of_work
def create(task_id: ObjectId, data: dict[str, Any], *, actor: Actor) -> Reminder:
    """Set a reminder: `at`, or `relative_to` and `minutes_before`.

    A reminder whose time is past does not fire, unless `fire_if_past`.
    Raises NotFound, Conflict (`reminder.too_many`, `quota.reminders`).
    """
    if visible(task_id, actor).count() >= MAX_REMINDERS:
        raise Conflict(f"A user has at most {MAX_REMINDERS} reminders of a task.", code="reminder.too_many")
    quotas.check_room("reminders", Reminder.objects(user_id=actor.user_id), actor.user_id)
    fire_if_past, data = _split_fire_if_past(data)
    reminder = Reminder(task_id=task_id, user_id=actor.user_id, **data)
    moment = _moment(reminder, Task.objects.one(task_id), actor.timezone)
    reminder.fire_at = moment if fire_if_past else _future(moment)
    reminder.save(force_insert=True)
    record(ReminderSet(reminder, actor))
    return reminder


@unit_of_work
def update(
    task_id: ObjectId, reminder_id: ObjectId, data: dict[str, Any], *, if_match: IfMatch, actor: Actor
) -> Reminder:
    """Replace a reminder, also one that has fired; see `create`. Raises NotFound, PreconditionFailed."""
    reminder = visible(task_id, actor).one(reminder_id)
    reminder.check_revision(if_match)
    fire_if_past, data = _split_fire_if_past(data)
    changes = dict.fromkeys(("at", "relative_to", "minutes_before")) | data
    for field, value in changes.items():
        setattr(reminder, field, value)
    moment = _moment(reminder, Task.objects.one(task_id), actor.timezone)
    fire_at = moment if fire_if_past else _future(moment)
    reminder = reminder.write(**changes, fire_at=fire_at, fired_at=None, carried=None)
    record(ReminderChanged(reminder, actor))
    return reminder


@unit_of_work
def delete(task_id: ObjectId, reminder_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a reminder. Raises NotFound, PreconditionFailed."""
    reminder = visible(task_id, actor).one(reminder_id)
    reminder.check_revision(if_match)
    reminder.delete()
    record(ReminderDeleted(reminder, actor))


def _split_fire_if_past(data: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    return data.get("fire_if_past", False), {name: value for name, value in data.items() if name != "fire_if_past"}


def _future(moment: datetime | None) -> datetime | None:
    """Return the moment, or None if it is past: a reminder that is set or moved to the past does not fire."""
    return moment if moment is not None and moment >= now() else None


def _moment(reminder: Reminder, task: Task, timezone: str) -> datetime | None:
    """Return when a reminder fires; None while the task has no such time."""
    if reminder.at:
        return reminder.at
    moment = task.start_at if reminder.relative_to == "start" else _due(task, timezone)
    moment = moment and shifted(moment, -timedelta(minutes=reminder.minutes_before))
    return moment and milliseconds(moment)


def _due(task: Task, timezone: str) -> datetime | None:
    """Return the due; for a whole day nine in the morning in the zone of the user, but never after `due_at`."""
    if not task.due or "T" in task.due:
        return task.due_at
    morning = datetime.fromisoformat(task.due) + _DAY_BEGINS
    return min(morning.replace(tzinfo=zone(timezone)).astimezone(UTC), task.due_at)


def reschedule(changed: Sequence[tuple[Task, Iterable[str]]]) -> None:
    """Move the reminders of tasks whose start or due has changed, in the open transaction.

    `changed` are the tasks, each with the names of its changed fields. A reminder that has fired fires again at a new
    time in the future; none fires at a time that is past. At most three commands, for any number of tasks.
    """
    tasks = {task.id: task for task, _ in changed}
    affected = {(task.id, name) for task, names in changed for name in _TIME_FIELDS if _TIME_FIELDS[name] & set(names)}
    if not affected:
        return
    ids, kinds = ({pair[index] for pair in affected} for index in (0, 1))
    found = Reminder.objects(task_id__in=list(ids), relative_to__in=list(kinds))
    relative = [one for one in found if (one.task_id, one.relative_to) in affected]
    zones = users.timezones(reminder.user_id for reminder in relative)
    _set([(one, _moment(one, tasks[one.task_id], zones.get(one.user_id, "UTC"))) for one in relative])


def _set(moments: Iterable[tuple[Reminder, datetime | None]]) -> None:
    """Store new times of reminders, by one command."""
    reminders, changes = [], []
    for reminder, moment in moments:
        if moment == reminder.fire_at:  # also a past time, of a reminder that is about to fire
            continue
        moment = _future(moment)
        if reminder.fired_at is None or moment is not None:
            reminders.append(reminder)
            changes.append({"fire_at": moment, "fired_at": None})
    _write(reminders, changes)


def _write(reminders: Sequence[Reminder], changes: Sequence[Row]) -> None:
    """Store changes that the service makes, with their events."""
    for reminder in Reminder.write_each(reminders, changes):
        record(ReminderChanged(reminder, None))


@unit_of_work
def reschedule_for_user(user_id: ObjectId) -> None:
    """Move the reminders of a user after the time zone of the account was changed. Safe to repeat."""
    timezone = users.timezones([user_id]).get(user_id, "UTC")
    found = list(Reminder.objects(user_id=user_id, relative_to="due", fired_at=None))
    tasks = {task.id: task for task in Task.objects(id__in=[reminder.task_id for reminder in found])}
    _set([(one, _moment(one, tasks[one.task_id], timezone)) for one in found if one.task_id in tasks])


def move_to_next(pairs: Sequence[tuple[Task, Task]]) -> None:
    """Move the members' relative reminders of each recurring task to its next task, in the open transaction.

    They are moved, not copied, so their number does not grow with the series and no quota is exceeded.
    """
    tasks, successors = {task.id: task for task, _ in pairs}, {task.id: successor for task, successor in pairs}
    found = list(Reminder.objects(task_id__in=list(tasks), relative_to__ne=None)) if pairs else []
    users_of: dict[ObjectId, list[ObjectId]] = {}
    for reminder in found:
        users_of.setdefault(tasks[reminder.task_id].project_id, []).append(reminder.user_id)
    member_ids = {
        project_id: members.member_ids_among(project_id, user_ids) for project_id, user_ids in users_of.items()
    }
    own = [one for one in found if one.user_id in member_ids[tasks[one.task_id].project_id]]
    _move([(reminder, successors[reminder.task_id]) for reminder in own])


def move_back(pairs: Sequence[tuple[Task, Task]]) -> None:
    """Move the reminders of each `(successor, task)`, which is withdrawn, back to the task, in the open transaction."""
    tasks = {successor.id: task for successor, task in pairs}
    found = list(Reminder.objects(task_id__in=list(tasks))) if pairs else []
    _move([(reminder, tasks[reminder.task_id]) for reminder in found])


def _move(moves: Sequence[tuple[Reminder, Task]]) -> None:
    zones = users.timezones(reminder.user_id for reminder, _ in moves)
    moments = [_future(_moment(one, to, zones.get(one.user_id, "UTC"))) for one, to in moves]
    changes = [
        {"task_id": to.id, "carried": True, "fired_at": None, "fire_at": moment}
        for (_, to), moment in zip(moves, moments, strict=True)
    ]
    _write([reminder for reminder, _ in moves], changes)


def delete_of_task(task_id: ObjectId) -> None:
    """Delete the reminders of a purged task."""
    Reminder.objects(task_id=task_id).delete()


def fire_due() -> int:
    """Fire the reminders that are due, also those from a downtime, and return their number."""
    end, fired = time.monotonic() + _MAX_SECONDS, 0
    while time.monotonic() < end:
        due = list(Reminder.objects(fire_at__lte=now()).order_by("fire_at").limit(_BATCH))
        fired += sum(_fire_unless_changed(reminder) for reminder in due)
        if len(due) < _BATCH:
            break
    return fired


def _fire_unless_changed(reminder: Reminder) -> bool:
    try:
        return _fire(reminder)
    except PreconditionFailed:  # changed, or fired by another process, at the same time
        return False


@unit_of_work
def _fire(reminder: Reminder) -> bool:
    moment = reminder.fire_at
    reminder = reminder.write(fire_at=None, fired_at=now())
    task = Task.objects.alive().filter(id=reminder.task_id).first()
    if task is None or not task.is_open or not _is_visible(reminder, task):
        record(ReminderChanged(reminder, None))
        return False
    record(ReminderFired(reminder, None, task, moment))
    return True


def _is_visible(reminder: Reminder, task: Task) -> bool:
    """Return whether the user may still see the task, and its project is neither archived nor deleted."""
    project = Project.objects(id=task.project_id, archived_at=None).alive().only("id").first()
    return project is not None and members.are_members(task.project_id, [reminder.user_id])
