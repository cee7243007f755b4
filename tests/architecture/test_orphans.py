"""Every collection whose documents belong to a task, a project or an account is walked for what is left behind."""

from taskmanager.features.accounts.orphans import DEPENDENTS
from tests.architecture.test_holdings import documents

OWNERS = ("task_id", "project_id", "user_id", "owner_id")
# Why the others need no walk.
OTHERWISE = {
    ("ApiToken", "project_id"): "good for nothing without the project; ends by itself",
    ("Delivery", "project_id"): "ends by itself",
    ("Invitation", "user_id"): "ends by itself",
    ("Notification", "project_id"): "ends by itself",
    ("Notification", "task_id"): "ends by itself, and with its task",
    ("Notification", "user_id"): "ends by itself",
    ("Session", "user_id"): "ends by itself",
    ("TaskCounts", "project_id"): "written with tasks only, and purged after them",
    ("Task", "project_id"): "tasks are purged with all that they have: see the trash",
}


def test_every_belonging_is_walked_or_ends_otherwise(app):
    named = {(kind.__name__, name) for kind in documents() for name in kind._fields if name in OWNERS}
    walked = {(one.model.__name__, one.field) for one in DEPENDENTS}
    assert named - walked == set(OTHERWISE)
