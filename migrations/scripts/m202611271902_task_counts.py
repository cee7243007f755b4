"""Statistics and facets without a filter are answered from counts, which each write of a task keeps.

The release before does not keep them. While it runs beside this one, what it writes is missing until the job
`tasks.counts`, or `taskmanager counters repair`, has repaired the project.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from taskmanager.features.insights.counts.repair import Recount

EXPAND = True


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the index, and count the tasks of each project. A run after a failure counts the remaining ones."""
    by_week = IndexModel([("project_id", ASCENDING), ("week", ASCENDING)], name="project_week", unique=True)
    database["task_counts"].create_indexes([by_week])
    Recount(database["tasks"], database["task_counts"]).repair_all()
