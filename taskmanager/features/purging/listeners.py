"""What purges do by themselves."""

from taskmanager.core.events.log import Event, listen
from taskmanager.core.events.schedule import every
from taskmanager.features.purging import service as purging


@listen("project.purged", name="purging.begun", queue="low")
def go_on(event: Event) -> None:
    """Go on with a purge that was begun; what takes longer is done by the scheduler's rounds."""
    purging.go_on(event.subject_id)


@every(60, name="purging.projects")
def purge_some() -> None:
    """Purge the projects that have been in the trash longer than the operator keeps them."""
    purging.purge_some()
