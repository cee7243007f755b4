"""Use cases of purges of projects. A round ends after some seconds; the next goes on with what is left.

The document of the project goes last: whatever dies in between, the project is found again.
"""

import time

import structlog
from bson import ObjectId

from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.models import Project
from taskmanager.features.projects.trash import service as trash
from taskmanager.features.purging.steps import PURGE_STEPS
from taskmanager.features.tasks.relations import acyclic

log = structlog.get_logger("taskmanager.purging")

_MAX_SECONDS = 4  # of one round, so that the scheduler's other jobs get their turn
_BATCH = 100


def purge_some() -> int:
    """Begin the purge of what is in the trash for too long, and go on with all that was begun; return how many ended.

    One that fails is logged and put off.
    """
    trash.begin_old()
    ended, last = 0, time.monotonic() + _MAX_SECONDS
    begun = Project.objects(__raw__={"purged_at": {"$exists": True}} | trash.not_put_off())
    for project in begun.order_by("purged_at", "id").limit(_BATCH):
        ended += _purge_safely(project, last)
        if time.monotonic() > last:
            break
    return ended


def go_on(project_id: ObjectId, seconds: float = _MAX_SECONDS) -> bool:
    """Purge a project whose purge was begun, for some seconds; return whether nothing is left."""
    project = Project.objects(id=project_id, purged_at__exists=True).first()
    return project is not None and _purge(project_id, time.monotonic() + seconds)


def _purge_safely(project: Project, last: float) -> bool:
    try:
        return _purge(project.id, last)
    except Exception:
        trash.put_off(project)
        return False


def _purge(project_id: ObjectId, last: float) -> bool:
    for step in PURGE_STEPS.values():
        while step.purge(project_id):
            if time.monotonic() > last:
                return False
    _end(project_id)
    log.info("project purged", project_id=str(project_id))
    return True


@unit_of_work
def _end(project_id: ObjectId) -> None:
    acyclic.drop_lock(project_id)
    Project.objects(id=project_id, purged_at__exists=True).delete()
