"""Taking what is gone off the tasks of a project, such as a deleted label, a few tasks in each transaction."""

from collections.abc import Callable
from typing import Any

from bson import ObjectId

from taskmanager.core.events.log import record
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.tasks.events import TaskUpdated
from taskmanager.features.tasks.models import Task

_BATCH = 10  # of one transaction, which has two seconds also on a busy machine


def remove_label(project_id: ObjectId, label_id: ObjectId) -> None:
    """Take a label off every task, also in the trash. Safe to repeat."""
    change_all(
        lambda: Task.objects(project_id=project_id, label_ids=label_id),
        lambda task: {"label_ids": [other for other in task.label_ids if other != label_id]},
    )


def remove_custom_field(project_id: ObjectId, key: str) -> None:
    """Take the values of a custom field off every task, also in the trash. Safe to repeat."""
    change_all(
        lambda: Task.objects(project_id=project_id, **{f"custom_fields__{key}__exists": True}),
        lambda task: {"custom_fields": {name: value for name, value in task.custom_fields.items() if name != key}},
    )


def change_all(found: Callable[[], Any], change: Callable[[Task], dict[str, Any]]) -> None:
    """Change the tasks that are found until none is, a few in each transaction; the service itself does it."""
    while tasks := list(found().limit(_BATCH)):
        _change(tasks, change)


@unit_of_work
def _change(tasks: list[Task], change: Callable[[Task], dict[str, Any]]) -> None:
    changes = [task.differences(change(task)) for task in tasks]
    after = [{field: after for field, (_, after) in changed.items()} for changed in changes]
    stored = Task.write_each(tasks, [task.by_service(**one) for task, one in zip(tasks, after, strict=True)])
    for task, changed in zip(stored, changes, strict=True):
        record(TaskUpdated(task, None, changed))
