"""Use cases of purges of projects. A round ends after some seconds; the next one continues.

The project's own document is deleted last: after a crash in between, the next round finds the project again.
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
_BATCH = 100  # projects of one round


def purge_due() -> int:
    """Begin the purge of projects that were in the trash too long, and continue all purges. Return how many ended.

    A purge that fails is logged and put off.
    """
    trash.begin_old()
    ended, deadline = 0, time.monotonic() + _MAX_SECONDS
    begun = Project.objects(__raw__={"purged_at": {"$exists": True}} | trash.not_put_off())
    for project in begun.order_by("purged_at", "id").limit(_BATCH):
        ended += _purge_safely(project, deadline)
        if time.monotonic() > deadline:
            break
    return ended


def continue_purge(project_id: ObjectId, seconds: float = _MAX_SECONDS) -> bool:
    """Continue the purge of a project for some seconds. Return whether it ended."""
    project = Project.objects(id=project_id, purged_at__exists=True).first()
    return project is not None and _purge(project_id, time.monotonic() + seconds)


def _purge_safely(project: Project, deadline: float) -> bool:
    try:
        return _purge(project.id, deadline)
    except Exception:
        trash.put_off(project)
        return False


def _purge(project_id: ObjectId, deadline: float) -> bool:
    for step in PURGE_STEPS.values():
        while step.purge(project_id):
            if time.monotonic() > deadline:
                return False
    _end(project_id)
    log.info("project purged", project_id=str(project_id))
    return True


@unit_of_work
def _end(project_id: ObjectId) -> None:
    acyclic.delete_lock(project_id)
    Project.objects(id=project_id, purged_at__exists=True).delete()
