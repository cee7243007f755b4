"""The listeners and periodic jobs of tasks."""

import structlog

from taskmanager.core.errors import Unavailable
from taskmanager.core.events import erasure
from taskmanager.core.events.log import Event, listen, project_of
from taskmanager.core.events.schedule import every
from taskmanager.features.tasks.cleanup import due_times, members as member_cleanup, values as value_cleanup
from taskmanager.features.tasks.placement import rekeying
from taskmanager.features.tasks.reminders import service as reminders

log = structlog.get_logger("taskmanager.tasks")


@listen("label.deleted", name="tasks.labels", queue="low")
def take_label_off(event: Event) -> None:
    """Remove a deleted label from the tasks."""
    value_cleanup.remove_label(event.data["project_id"], event.subject_id)


@listen("custom_field.deleted", name="tasks.custom_fields", queue="low")
def take_custom_field_off(event: Event) -> None:
    """Remove the values of a deleted custom field from the tasks."""
    value_cleanup.remove_custom_field(event.data["project_id"], event.data["key"])


@listen("member.removed", name="tasks.members", queue="low")
def take_member_off(event: Event) -> None:
    """Remove a former member from the tasks."""
    member_cleanup.remove_member(project_of(event), event.data["user_id"])


@listen("user.updated", name="tasks.reminders", queue="low")
def follow_time_zone(event: Event) -> None:
    """Reschedule the reminders of a user when the time zone of the account changes."""
    if "timezone" in event.data.get("changes", {}):
        reminders.reschedule_for_user(event.subject_id)


@listen("project.updated", name="tasks.dues", queue="low")
def follow_zone_of_project(event: Event) -> None:
    """Update the due times of a project when its time zone changes."""
    if "timezone" in event.data.get("changes", {}):
        due_times.update_due_times(event.subject_id)


@listen("task.purged", name="tasks.forgetting", queue="low")
def erase_from_log(event: Event) -> None:
    """Erase from other events what they store of a purged task."""
    if not erasure.erase_subjects(event.subject_id):
        raise Unavailable("There is more to erase: the relay dispatches this event again.")


@every(2, name="tasks.reminders")
def fire_reminders() -> None:
    """Fire the reminders that are due."""
    if fired := reminders.fire_due():
        log.info("reminders", fired=fired)


@listen("project.restored", name="tasks.keys", queue="default")
def follow_key_of_project(event: Event) -> None:
    """Change the keys of the tasks when their project was restored with another key."""
    if "key" in event.data.get("changes", {}):
        rekeying.replace_keys(event.subject_id, event.data["changes"]["key"][0])
