"""The listener and the periodic job of purges."""

from taskmanager.core.events.log import Event, listen
from taskmanager.core.events.schedule import every
from taskmanager.features.purging import service as purging


@listen("project.purged", name="purging.begun", queue="low")
def continue_purge(event: Event) -> None:
    """Continue a purge that was begun; if it takes longer, the periodic job finishes it."""
    purging.continue_purge(event.subject_id)


@every(60, name="purging.projects")
def purge_due() -> None:
    """Purge the projects that have been in the trash longer than the operator's number of days."""
    purging.purge_due()
