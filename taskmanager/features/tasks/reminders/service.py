"""Use cases of reminders. Each belongs to one person, who alone sees it.

A whole day counts from nine in the morning in the person's zone; every other due is the moment that the task is due.
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
from taskmanager.core.storage.querysets import BaseQuerySet, Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.zones import zone
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.events import ReminderChanged, ReminderDeleted, ReminderFired, ReminderSet
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users import service as users

MAX_REMINDERS = 20  # of one person for one task
_BATCH = 100
_MAX_SECONDS = 4  # of one round, so that the scheduler's other jobs get their turn
_FOLLOWED = {"start": {"start_at"}, "due": {"due", "due_at"}}
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

    One whose time is past does not fire, unless `fire_if_past`.
    Raises NotFound, Conflict (`reminder.too_many`, `quota.reminders`).
    """
    if visible(task_id, actor).count() >= MAX_REMINDERS:
        raise Conflict(f"One person has at most {MAX_REMINDERS} reminders of a task.", code="reminder.too_many")
    quotas.check_room("reminders", Reminder.objects(user_id=actor.user_id))
    late, data = _is_late_wanted(data)
    reminder = Reminder(task_id=task_id, user_id=actor.user_id, **data)
    moment = _moment(reminder, Task.objects.one(task_id), actor.timezone)
    reminder.fire_at = moment if late else _to_come(moment)
    reminder.save(force_insert=True)
    record(ReminderSet(reminder, actor))
    return reminder


@unit_of_work
def update(
    task_id: ObjectId, reminder_id: ObjectId, data: dict[str, Any], *, if_match: IfMatch, actor: Actor
) -> Reminder:
    """Set a reminder anew, whether or not it has fired; see `create`. Raises NotFound, PreconditionFailed."""
    reminder = visible(task_id, actor).one(reminder_id)
    reminder.check_revision(if_match)
    late, data = _is_late_wanted(data)
    changes = dict.fromkeys(("at", "relative_to", "minutes_before")) | data
    for field, value in changes.items():
        setattr(reminder, field, value)
    moment = _moment(reminder, Task.objects.one(task_id), actor.timezone)
    reminder = reminder.write(**changes, fire_at=moment if late else _to_come(moment), fired_at=None, carried=None)
    record(ReminderChanged(reminder, actor))
    return reminder


@unit_of_work
def delete(task_id: ObjectId, reminder_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a reminder. Raises NotFound, PreconditionFailed."""
    reminder = visible(task_id, actor).one(reminder_id)
    reminder.check_revision(if_match)
    reminder.delete()
    record(ReminderDeleted(reminder, actor))


def _is_late_wanted(data: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    return data.get("fire_if_past", False), {name: value for name, value in data.items() if name != "fire_if_past"}


def _to_come(moment: datetime | None) -> datetime | None:
    """Return the moment if it is to come: what is past when a reminder is made or moved fires nothing."""
    return moment if moment is not None and moment >= now() else None


def _moment(reminder: Reminder, task: Task, timezone: str) -> datetime | None:
    """Return when it fires; None while the task has no such time."""
    if reminder.at:
        return reminder.at
    moment = task.start_at if reminder.relative_to == "start" else _due(task, timezone)
    moment = moment and shifted(moment, -timedelta(minutes=reminder.minutes_before))
    return moment and milliseconds(moment)


def _due(task: Task, timezone: str) -> datetime | None:
    """Return the due; of a whole day nine in the morning in the person's zone, but never after its end."""
    if not task.due or "T" in task.due:
        return task.due_at
    morning = datetime.fromisoformat(task.due) + _DAY_BEGINS
    return min(morning.replace(tzinfo=zone(timezone)).astimezone(UTC), task.due_at)


def reschedule(changed: Sequence[tuple[Task, Iterable[str]]]) -> None:
    """Let reminders follow the start and due of tasks of which these fields have changed, in the open transaction.

    One that has fired fires again at a new time that is to come; at a time that is past none does. Three commands at
    most, however many tasks there are.
    """
    tasks = {task.id: task for task, _ in changed}
    concerned = {(task.id, name) for task, names in changed for name in _FOLLOWED if _FOLLOWED[name] & set(names)}
    if not concerned:
        return
    ids, kinds = ({pair[place] for pair in concerned} for place in (0, 1))
    found = Reminder.objects(task_id__in=list(ids), relative_to__in=list(kinds))
    followers = [one for one in found if (one.task_id, one.relative_to) in concerned]
    zones = users.timezones(reminder.user_id for reminder in followers)
    _set([(one, _moment(one, tasks[one.task_id], zones.get(one.user_id, "UTC"))) for one in followers])


def _set(moments: Iterable[tuple[Reminder, datetime | None]]) -> None:
    """Let reminders fire at other moments, by one command."""
    reminders, changes = [], []
    for reminder, moment in moments:
        if moment == reminder.fire_at:  # also one that is past, and about to fire
            continue
        moment = _to_come(moment)
        if reminder.fired_at is None or moment is not None:
            reminders.append(reminder)
            changes.append({"fire_at": moment, "fired_at": None})
    Reminder.write_each(reminders, changes)


@unit_of_work
def zone_changed(user_id: ObjectId) -> None:
    """Let the reminders of a user follow the time zone of the account. Safe to repeat."""
    timezone = users.timezones([user_id]).get(user_id, "UTC")
    found = list(Reminder.objects(user_id=user_id, relative_to="due", fired_at=None))
    tasks = {task.id: task for task in Task.objects(id__in=[reminder.task_id for reminder in found])}
    _set([(one, _moment(one, tasks[one.task_id], timezone)) for one in found if one.task_id in tasks])


def carry_over(task: Task, successor: Task) -> None:
    """Let the members' relative reminders of a recurring task go along with what follows it, in the open transaction.

    They are moved, not copied: a series has as many after a year as on its first day, and no quota is passed.
    """
    found = list(Reminder.objects(task_id=task.id, relative_to__ne=None))
    stay = members.member_ids_among(task.project_id, [reminder.user_id for reminder in found])
    _move([reminder for reminder in found if reminder.user_id in stay], successor)


def take_back(made: Task, task: Task) -> None:
    """Give the reminders that went along with `made`, which is withdrawn, back to `task`, in the open transaction."""
    _move(list(Reminder.objects(task_id=made.id)), task)


def _move(found: list[Reminder], to: Task) -> None:
    zones = users.timezones(reminder.user_id for reminder in found)
    moments = [_to_come(_moment(reminder, to, zones.get(reminder.user_id, "UTC"))) for reminder in found]
    moved = {"task_id": to.id, "carried": True, "fired_at": None}
    Reminder.write_each(found, [moved | {"fire_at": moment} for moment in moments])


def delete_of_task(task_id: ObjectId) -> None:
    """Drop the reminders of a task that is gone for good."""
    Reminder.objects(task_id=task_id).delete()


def fire_due() -> int:
    """Fire what is due, also what was due while nothing was running; answers how many."""
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
    except PreconditionFailed:  # changed, or fired by another, at this very moment
        return False


@unit_of_work
def _fire(reminder: Reminder) -> bool:
    moment = reminder.fire_at
    reminder = reminder.write(fire_at=None, fired_at=now())
    task = Task.objects.alive().filter(id=reminder.task_id).first()
    if task is None or not task.is_open or not _wanted(reminder, task):
        return False
    record(ReminderFired(reminder, None, task, moment))
    return True


def _wanted(reminder: Reminder, task: Task) -> bool:
    """Return whether the person may still see the task, in a project that people work in."""
    project = Project.objects(id=task.project_id, archived_at=None).alive().only("id").first()
    return project is not None and members.are_members(task.project_id, [reminder.user_id])
