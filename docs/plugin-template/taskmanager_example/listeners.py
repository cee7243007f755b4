"""What happens after a write."""

from taskmanager.core.events.log import Event, listen, project_of
from taskmanager_example import service


@listen("task.completed", name="example.count", queue="low")
def count(event: Event) -> None:
    """Count it."""
    service.count(project_of(event), event.id)
