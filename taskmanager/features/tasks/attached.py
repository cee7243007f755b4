"""What other features attach to tasks, such as comments and files. They stand above tasks, so they contribute it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from taskmanager.core.registry import Part


@dataclass(frozen=True)
class Attached:
    """`models` have a field `task_id`; `bytes_of` returns how many bytes of files some tasks have."""

    models: tuple[Any, ...]
    bytes_of: Callable[[Collection[ObjectId]], int] = lambda task_ids: 0

    @property
    def name(self) -> str:
        """Return the first collection."""
        return str(self.models[0]._get_collection_name())


ATTACHED: Part[Attached] = Part("attached")


def is_any(task_id: ObjectId) -> bool:
    """Return whether anything is attached to a task."""
    models = [model for attached in ATTACHED.values() for model in attached.models]
    return any(model.objects(task_id=task_id).first() is not None for model in models)


def bytes_of(task_ids: Collection[ObjectId]) -> int:
    """Return how many bytes the files of some tasks have together."""
    return sum(attached.bytes_of(task_ids) for attached in ATTACHED.values())
