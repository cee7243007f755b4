"""Change the keys of tasks, which begin with the key of their project.

A project gets another key when it is restored and its former key is in use.
"""

from typing import Any

from bson import ObjectId

from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.cleanup import values as value_cleanup
from taskmanager.features.tasks.models import Task

_AFTER_HYPHEN = "."  # the next character after the hyphen: the keys of a project are one range of the index


def replace_keys(project_id: ObjectId, former: str) -> None:
    """Replace the former key of the project by its current key in the keys of its tasks.

    Includes the trash. A task is still found by its former key. Safe to repeat.
    """
    project = Project.objects(id=project_id).only("key").first()
    if project is None or project.key == former:
        return
    old, new = f"{former}-", f"{project.key}-"
    outdated = Task.objects(project_id=project_id, key__gte=old, key__lt=f"{former}{_AFTER_HYPHEN}")
    value_cleanup.change_all(lambda: outdated.clone(), lambda task: _with_key(task, old, new))


def _with_key(task: Task, old: str, new: str) -> dict[str, Any]:
    return {"key": new + task.key.removeprefix(old), "former_keys": [*task.former_keys, task.key]}
