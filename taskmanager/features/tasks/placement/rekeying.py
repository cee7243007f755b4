"""The keys of tasks begin with the key of their project, which changes when it is restored and its own was taken."""

from typing import Any

from bson import ObjectId

from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.cleanup import values as value_cleanup
from taskmanager.features.tasks.models import Task

_BEHIND = "."  # the character that follows the hyphen: the keys of a project are one stretch of the index


def follow(project_id: ObjectId, former: str) -> None:
    """Give each task whose key begins with a former key of its project one that begins with its key of now.

    Also in the trash; each is still found by its former key. Safe to repeat.
    """
    project = Project.objects(id=project_id).only("key").first()
    if project is None or project.key == former:
        return
    old, new = f"{former}-", f"{project.key}-"
    behind = Task.objects(project_id=project_id, key__gte=old, key__lt=f"{former}{_BEHIND}")
    value_cleanup.change_all(lambda: behind.clone(), lambda task: _with_key(task, old, new))


def _with_key(task: Task, old: str, new: str) -> dict[str, Any]:
    return {"key": new + task.key.removeprefix(old), "former_keys": [*task.former_keys, task.key]}
