"""Remove deleted labels and custom fields from the tasks of a project, a few tasks in each transaction."""

from collections.abc import Callable
from typing import Any

from bson import ObjectId

from taskmanager.core.events.log import record
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.tasks.events import TaskUpdated
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import TaskQuerySet

_BATCH = 10  # tasks of one transaction, which must end within two seconds also on a busy machine


def remove_label(project_id: ObjectId, label_id: ObjectId) -> None:
    """Remove a label from every task, also in the trash. Safe to repeat."""
    change_all(
        lambda: Task.objects(project_id=project_id, label_ids=label_id),
        lambda task: {"label_ids": [other for other in task.label_ids if other != label_id]},
    )


def remove_custom_field(project_id: ObjectId, key: str) -> None:
    """Remove the values of a custom field from every task, also in the trash. Safe to repeat."""
    change_all(
        lambda: Task.objects(project_id=project_id, **{f"custom_fields__{key}__exists": True}),
        lambda task: {"custom_fields": {name: value for name, value in task.custom_fields.items() if name != key}},
    )


def change_all(find: Callable[[], TaskQuerySet], change: Callable[[Task], dict[str, Any]]) -> None:
    """Change the tasks that `find` returns, a few in each transaction, until it returns none.

    `change` returns the changed fields of a task. The event has no actor.
    """
    while tasks := list(find().limit(_BATCH)):
        _change(tasks, change)


@unit_of_work
def _change(tasks: list[Task], change: Callable[[Task], dict[str, Any]]) -> None:
    differences = [task.differences(change(task)) for task in tasks]
    changes = [{field: after for field, (_, after) in one.items()} for one in differences]
    stored = Task.write_each(tasks, [task.by_service(**one) for task, one in zip(tasks, changes, strict=True)])
    for task, changed in zip(stored, differences, strict=True):
        record(TaskUpdated(task, None, changed))
