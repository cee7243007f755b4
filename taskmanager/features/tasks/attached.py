"""The registry of what other features attach to tasks, such as comments and files.

These features are in a layer above tasks, so they contribute to the registry and tasks do not import them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from bson import ObjectId
from mongoengine import Document

from taskmanager.core.registry import Part


@dataclass(frozen=True)
class Attached:
    """Documents of another feature that belong to tasks.

    `models` have a field `task_id`; `bytes_of` returns the total size of the files of the given tasks, in bytes.
    """

    models: tuple[type[Document], ...]
    bytes_of: Callable[[Collection[ObjectId]], int] = lambda task_ids: 0

    @property
    def name(self) -> str:
        """Return the name of the first collection, by which the registry knows it."""
        return str(self.models[0]._get_collection_name())


ATTACHED: Part[Attached] = Part("attached")


def with_any(task_ids: Collection[ObjectId]) -> set[ObjectId]:
    """Return those of these tasks that something is attached to."""
    models = [model for attached in ATTACHED.values() for model in attached.models]
    return {task_id for model in models for task_id in model.objects(task_id__in=task_ids).distinct("task_id")}


def bytes_of(task_ids: Collection[ObjectId]) -> int:
    """Return the total size of the files of the given tasks, in bytes."""
    return sum(attached.bytes_of(task_ids) for attached in ATTACHED.values())
