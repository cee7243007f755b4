"""The mail of a reminder."""

from taskmanager.core import settings
from taskmanager.core.events import Event
from taskmanager.features.notifications.account_mails import Letter, writes
from taskmanager.features.notifications.messages import one_line
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import service as users


@writes("reminder.fired")
def reminded(event: Event) -> Letter | None:
    """To the one who set it."""
    user_id = event.data["user_id"]
    task = Task.objects.alive().filter(id=event.data["task_id"]).first()
    card = users.cards([user_id]).get(user_id)
    if task is None or card is None or card["email"] is None:
        return None
    title, due = one_line(task.title), f"Due: {task.due}\n\n" if task.due else ""
    text = f"You wanted to be reminded of {task.key}:\n\n    {title}\n\n{due}"
    link = f"{settings.current().base_url}/api/v1/tasks/{task.id}\n"
    return Letter(user_id, card, f"Reminder: [{task.key}] {title}", text + link)
