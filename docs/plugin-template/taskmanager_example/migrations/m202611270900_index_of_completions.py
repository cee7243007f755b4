"""Completions are found by their project, of which each has one document."""

from typing import Any

from pymongo import ASCENDING, IndexModel


def upgrade(database: Any) -> None:
    """Make the index; one that is there already is left alone."""
    index = IndexModel([("project_id", ASCENDING)], name="project_id", unique=True)
    database["x_example_completions"].create_indexes([index])
