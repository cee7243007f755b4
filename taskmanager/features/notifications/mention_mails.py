"""The mails to people who are mentioned in a comment."""

from taskmanager.core import settings
from taskmanager.core.events import Event
from taskmanager.features.notifications import service as notifications
from taskmanager.features.notifications.messages import one_line
from taskmanager.features.projects import members
from taskmanager.features.tasks.comment_models import Comment
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import service as users

_LONGEST = 1000


def tell_mentioned(event: Event) -> None:
    """Mail those whom the event newly mentions, but not its author. Raises NotYetDelivered; safe to repeat."""
    comment = Comment.objects(id=event.data["comment_id"]).first()
    task = Task.objects.alive().filter(id=event.subject_id).first()
    wanted = [user_id for user_id in event.data["mentioned"] if user_id != event.actor_id]
    if comment is None or task is None or not wanted:
        return
    cards = users.cards([*wanted, event.actor_id])
    by = one_line(cards.get(event.actor_id, {}).get("name", "Somebody"))
    text = (
        f"{by} mentioned you in a comment on {task.key}, {one_line(task.title)}:\n\n{comment.text[:_LONGEST]}\n\n"
        f"{settings.current().base_url}/api/v1/tasks/{task.id}/comments/{comment.id}\n"
    )
    for user_id in members.who_are_members(task.project_id, wanted):
        if cards.get(user_id, {}).get("email"):
            notifications.mail(event, user_id, cards[user_id], f"[{task.key}] {one_line(task.title)}", text)
