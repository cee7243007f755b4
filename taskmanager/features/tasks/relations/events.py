"""What happens to relations of tasks."""

from dataclasses import dataclass
from typing import ClassVar

from taskmanager.features.tasks.events import TaskFact


@dataclass(frozen=True)
class TaskRelated(TaskFact):
    """Has a new relation; `changes` says its kind and the other task."""

    kind: ClassVar[str] = "task.related"


@dataclass(frozen=True)
class TaskUnrelated(TaskFact):
    """Has a relation no more; `changes` says its kind and the other task."""

    kind: ClassVar[str] = "task.unrelated"
