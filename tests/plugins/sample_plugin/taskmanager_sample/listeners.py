"""What happens after a write, and at its time. A listener and a periodic job must be safe to repeat."""

from taskmanager.core.events.log import Event, listen
from taskmanager.core.events.schedule import every
from taskmanager_sample import service
from taskmanager_sample.channel import board

made: list[str] = []
wiped: list[int] = []


@listen("task.created", name="sample.count", queue="low")
def count(event: Event) -> None:
    """Remember the task."""
    made.append(str(event.subject_id))


@listen("task.purged", name="sample.forget_task", queue="low")
def forget_task(event: Event) -> None:
    """Delete the greetings on a task that is gone for good."""
    service.forget_task(event.subject_id)


@listen("user.deleted", name="sample.forget_account", queue="low")
def forget_account(event: Event) -> None:
    """Delete what an account that was erased had written."""
    service.forget_account(event.subject_id)


@every(3600, name="sample.wipe")
def wipe() -> None:
    """Wipe the board, once an hour."""
    wiped.append(len(board.lines))
    board.lines.clear()
