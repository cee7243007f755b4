"""Tasks as iCalendar (RFC 5545): each is an event at its due, or a to-do.

A whole day stays a day; local times and moments are local times of their zone, so that a series keeps its time when
summer time begins. What is cancelled or in the trash has the status CANCELLED, because programs that subscribe keep
what is not mentioned.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event, Todo, vRecur

from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import shortened
from taskmanager.core.zones import zone
from taskmanager.features.calendars import service
from taskmanager.features.tasks.recurrence.rules import Rule, Wall, parse

REFRESH = timedelta(minutes=15)
_PRIORITIES = (0, 9, 5, 3, 1)  # of RFC 5545 (3.8.1.9) for none, low, medium, high, urgent
_TODO_STATUS = {"done": "COMPLETED", "active": "IN-PROCESS"}


def render(shown: service.Calendar, kind: str, name: str, page: str) -> bytes:
    """Return a calendar with these tasks; `kind` is one of the schema's KINDS, `page` the URL of the pages of tasks."""
    calendar = Calendar()
    calendar.add("prodid", "-//Task Manager//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    calendar.add("name", name)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", REFRESH)
    reminders = service.reminders_by_task(shown.reminders)
    for task in shown.tasks:
        timezone = shown.zones[task["project_id"]]
        component = _component(task, kind, timezone, f"{page}/{task['_id']}", reminders.get(task["_id"], ()))
        if names := [shown.labels[one] for one in task.get("label_ids", ()) if one in shown.labels]:
            component.add("categories", names)
        calendar.add_component(component)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _component(task: Row, kind: str, timezone: str, url: str, reminders: Sequence[Row]) -> Event | Todo:
    component = Event() if kind == "events" else Todo()
    begin = _begin(task, timezone)
    component.add("uid", f"{task['_id']}@taskmanager")
    component.add("summary", f"{task['title']} ({task['key']})")
    component.add("url", url)
    component.add("dtstamp", task["updated_at"])
    component.add("created", task["created_at"])
    component.add("last-modified", task["updated_at"])
    component.add("sequence", task["revision"])
    if task.get("description"):
        component.add("description", shortened(task["description"]))
    if priority := _PRIORITIES[task["priority"]]:
        component.add("priority", priority)
    _add_times(component, task, begin, timezone, kind)
    _add_status(component, task, kind)
    if rule := _rule(task, begin, timezone):
        component.add("rrule", rule)
    for reminder in reminders if _is_open(task) else ():
        component.add_component(_alarm(task, reminder, begin, timezone, recurs=rule is not None))
    return component


def _add_times(component: Event | Todo, task: Row, begin: date | datetime, timezone: str, kind: str) -> None:
    """Add the due as the begin; with an earlier start that is the begin, unless the task repeats by its due."""
    start = None if task.get("recurrence") else _start(task, begin, timezone)
    component.add("dtstart", begin if start is None else start)
    if kind == "todos":
        component.add("due", begin)
        return
    component.add("transp", "TRANSPARENT")
    if start is not None:
        component.add("dtend", begin if isinstance(begin, datetime) else begin + timedelta(days=1))


def _start(task: Row, begin: date | datetime, timezone: str) -> date | datetime | None:
    """Return the start of a task as what its due is, a day or a moment, when it is before that."""
    if not task.get("start_at"):
        return None
    if isinstance(begin, datetime):
        start: datetime = task["start_at"].astimezone(begin.tzinfo)
        return start if start.astimezone(UTC) < begin.astimezone(UTC) else None
    day: date = task["start_at"].astimezone(zone(timezone)).date()
    return day if day < begin else None


def _is_open(task: Row) -> bool:
    return task["status_group"] not in ("done", "cancelled") and not task.get("deleted_at")


def _add_status(component: Event | Todo, task: Row, kind: str) -> None:
    if task.get("deleted_at") or task["status_group"] == "cancelled":
        component.add("status", "CANCELLED")
    elif kind == "events":
        component.add("status", "CONFIRMED")
    else:
        component.add("status", _TODO_STATUS.get(task["status_group"], "NEEDS-ACTION"))
        if task.get("completed_at"):
            component.add("completed", task["completed_at"])
            component.add("percent-complete", 100)


def _wall(task: Row) -> Wall:
    name = task.get("due_timezone")
    return Wall.of(task["due"], zone(name) if name else None)


def _begin(task: Row, timezone: str) -> date | datetime:
    """Return the due as a day, or as a local time of its zone: for a series, at the time of day of that."""
    wall = _wall(task)
    if wall.kind == "day":
        return wall.moment.date()
    if wall.kind == "zoned" and wall.zone is None:
        moment: datetime = task["due_at"]
        return moment.astimezone(UTC)
    moment = wall.moment
    if task.get("recurrence") and task.get("recurs_at"):
        moment = datetime.combine(moment.date(), time.fromisoformat(task["recurs_at"]))
    return moment.replace(tzinfo=wall.zone or zone(timezone))


def _rule(task: Row, begin: date | datetime, timezone: str) -> vRecur | None:
    """Return the rule of an open task that repeats by its due; one that counts from its completion has no dates yet."""
    if not task.get("recurrence") or task.get("recurs_from") == "completion" or not _is_open(task):
        return None
    rule = parse(task["recurrence"])
    if isinstance(begin, datetime) and begin.tzinfo is UTC and _wall(task).zone is None:
        return None  # a due with an offset only: its local days are not those of UTC
    local = zone(task.get("due_timezone") or timezone)
    text = ";".join(f"{name}={value}" for name, value in rule.parts)
    found = vRecur.from_ical(text)
    if rule.count is not None:
        found["COUNT"] = [rule.count]
    if rule.until is not None:
        found["UNTIL"] = [_until(rule, rule.until, begin, local)]
    return found


def _until(rule: Rule, until: datetime, begin: date | datetime, local: ZoneInfo) -> date | datetime:
    """Return the end of a rule, as RFC 5545 (3.3.10) wants it: a day for a series of days, else a moment in UTC."""
    moment = until.replace(tzinfo=UTC if rule.until_utc else local)
    return moment.astimezone(UTC) if isinstance(begin, datetime) else moment.astimezone(local).date()


def _alarm(task: Row, reminder: Row, begin: date | datetime, timezone: str, *, recurs: bool) -> Alarm:
    """Return the alarm of a reminder: at its moment, or in a series as long before each occurrence as before this."""
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", task["title"])
    trigger: Any = reminder["fire_at"].astimezone(UTC)
    if recurs:
        start = begin if isinstance(begin, datetime) else datetime.combine(begin, time(), zone(timezone))
        trigger = trigger - start.astimezone(UTC)
    alarm.add("trigger", trigger)
    return alarm
