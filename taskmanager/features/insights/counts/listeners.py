"""The periodic jobs of the counts."""

from datetime import timedelta

import structlog
from bson import ObjectId
from pymongo.errors import ConnectionFailure

from taskmanager.core.clock import now
from taskmanager.core.events.schedule import every
from taskmanager.core.storage import walks
from taskmanager.core.storage.orders import Key, Row
from taskmanager.features.insights.counts.repair import OVERDUE_MINUTES, Recount, count_overdue, pass_idle
from taskmanager.features.tasks.counts.models import TaskCounts

_HEAD = ("project_id", "overdue_before", "writes", "label", "person")  # what `pass_idle` reads

log = structlog.get_logger("taskmanager.insights")


@every(60, name="tasks.overdue")
def count_overdue_tasks() -> None:
    """Count the tasks that became overdue, in the projects where that was not done for OVERDUE_MINUTES."""

    def find(after: Key, limit: int) -> list[Row]:
        outdated = {"overdue_before": {"$lt": now() - timedelta(minutes=OVERDUE_MINUTES)}, "week": None}
        return _overall(outdated, after, limit)

    for rows in walks.batches("tasks.overdue", find, lambda row: [row["project_id"]]):
        for project_id in pass_idle(rows):
            _count_overdue_safely(project_id)


def _count_overdue_safely(project_id: ObjectId) -> None:
    """Count those of a project; a failure is logged, and the other projects are counted nevertheless."""
    try:
        count_overdue(project_id)
    except ConnectionFailure:  # not of this project: the job fails
        raise
    except Exception:
        log.exception("overdue tasks not counted", project_id=str(project_id))


@every(300, name="tasks.counts")
def verify_counts() -> None:
    """Verify the counts of the next project, and repair them: a release that did not count may have run."""
    recount, position = Recount.of_service(), walks.Position._get_collection()
    after = (position.find_one({"_id": "tasks.counts"}) or {}).get("after", [])
    project_id = next(recount.project_ids(after[0] if after else None), None)
    position.update_one({"_id": "tasks.counts"}, {"$set": {"after": [project_id] if project_id else []}}, upsert=True)
    if project_id and (lacking := recount.repair(project_id).numbers):
        log.warning("counts repaired", project_id=str(project_id), numbers=len(lacking))


def _overall(query: Row, after: Key, limit: int) -> list[Row]:
    beyond: dict[str, ObjectId] = {"$gt": after[0]} if after else {"$gt": ObjectId("0" * 24)}
    found = TaskCounts._get_collection().find(query | {"project_id": beyond}, _HEAD)
    return list(found.sort("project_id", 1).limit(limit))
