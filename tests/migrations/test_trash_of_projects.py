"""The keys of projects that were deleted by an earlier release are free after the migration."""

import pytest
from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from migrations.scripts import m202611270015_trash_of_projects as migration
from taskmanager.core.clock import now
from taskmanager.core.storage import database


@pytest.fixture
def earlier(app):
    """A database as the release before left it, with a deleted project."""
    name = f"{database.database().name}_earlier"
    database.client().drop_database(name)
    made = database.client()[name]
    for collection in ("projects", "tasks"):
        made[collection].create_index([("key", ASCENDING)], name="key", unique=True)
    made.projects.insert_one({"_id": 1, "key": "APP", "deleted_at": now()})
    made.tasks.insert_one({"project_id": 1, "key": "APP-1"})
    yield made
    database.client().drop_database(name)


def test_a_key_of_a_deleted_project_is_free_and_others_are_not(earlier):
    for _ in range(2):
        migration.upgrade(earlier)
    earlier.projects.insert_one({"_id": 2, "key": "APP"})
    earlier.tasks.insert_one({"project_id": 2, "key": "APP-1"})
    for collection, row in (("projects", {"_id": 3, "key": "APP"}), ("tasks", {"project_id": 2, "key": "APP-1"})):
        with pytest.raises(DuplicateKeyError):
            earlier[collection].insert_one(row)
    with pytest.raises(DuplicateKeyError):  # what is restored needs a key that is free
        earlier.projects.update_one({"_id": 1}, {"$unset": {"deleted_at": 1}})
