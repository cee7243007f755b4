"""Greetings are found by their task, and purged by their project."""

from typing import Any

from pymongo import ASCENDING, IndexModel


def upgrade(database: Any) -> None:
    """Make the indexes; those that are there already are left alone."""
    database["x_sample_greetings"].create_indexes(
        [
            IndexModel([("task_id", ASCENDING)], name="task_id"),
            IndexModel([("project_id", ASCENDING)], name="project_id"),
        ]
    )
