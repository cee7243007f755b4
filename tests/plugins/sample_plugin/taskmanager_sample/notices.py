"""What users are notified of: a kind, which they find in their preferences, and the notice of an event."""

from bson import ObjectId

from taskmanager.core.events.log import Event, project_of
from taskmanager.features.notifications.content.registry import Notice, writes
from taskmanager.features.notifications.kinds import Kind
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import service as users

KINDS = {"sample.greeted": Kind(frozenset({"in_app"}), title="A greeting on a task that you watch")}


@writes("sample.greeted", to_members=True)
def greeted(event: Event, only: ObjectId | None) -> list[Notice]:
    """Notify those who watch the task."""
    task = Task.objects(id=event.subject_id).first()
    if task is None:
        return []
    wanted = [user_id for user_id in task.watcher_ids if only in (None, user_id)]
    people = users.public_profiles(wanted)
    subject = f"[{task.key}] {event.data['greeting']}"
    return [
        Notice(user_id, people[user_id], subject, subject, "sample.greeted", project_of(event), task.id, event.actor_id)
        for user_id in wanted
        if user_id in people
    ]
