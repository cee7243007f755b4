"""The counts of tasks are repaired: the release before did not keep them while it ran beside this one."""

from typing import Any

from pymongo.database import Database

from taskmanager.features.insights.counts.repair import Recount

CONTRACT = True  # it is of use when no process of the release before runs any more


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Count the tasks of each project again, and add what is missing; this release may write meanwhile."""
    Recount(database["tasks"], database["task_counts"]).repair_all()
