"""What other features attach to tasks, such as comments and files. They stand above tasks, so they are handed over."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from bson import ObjectId


@dataclass(frozen=True)
class Attached:
    """`models` have a field `task_id`; `bytes_of` returns how many bytes of files some tasks have."""

    models: tuple[Any, ...]
    bytes_of: Callable[[Collection[ObjectId]], int]


_attached: list[Attached] = []


def use(attached: Attached) -> None:
    """Use these from now on: called once by the composition root, before any request."""
    _attached[:] = [attached]


def is_any(task_id: ObjectId) -> bool:
    """Return whether anything is attached to a task."""
    return any(model.objects(task_id=task_id).first() is not None for model in _attached[0].models)


def bytes_of(task_ids: Collection[ObjectId]) -> int:
    """Return how many bytes the files of some tasks have together."""
    return _attached[0].bytes_of(task_ids)
