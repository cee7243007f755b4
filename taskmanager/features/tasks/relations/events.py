"""The events of relations between tasks."""

from dataclasses import dataclass
from typing import ClassVar

from taskmanager.features.tasks.events import TaskFact


@dataclass(frozen=True)
class TaskRelated(TaskFact):
    """The task has a new relation; `changes` is {kind: [None, id of the other task]}."""

    kind: ClassVar[str] = "task.related"


@dataclass(frozen=True)
class TaskUnrelated(TaskFact):
    """A relation of the task was deleted; `changes` is {kind: [id of the other task, None]}."""

    kind: ClassVar[str] = "task.unrelated"
