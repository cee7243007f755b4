"""Relations that make no circle: whether a new one would close one, found by a bounded walk.

The walk goes from both ends in turn and ends where one side has nothing left. What it found rests on the tasks of that
side. A unit of work holds their projects, and those of the two ends, after its walk: another one that relates any of
these tasks meanwhile writes one of the same locks, and the later one is run again.
"""

from bson import ObjectId

from taskmanager.core.errors import Conflict
from taskmanager.core.storage import locks
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.relations.models import Relation

MAX_WALKED = 1_000  # tasks


class _Side:
    """What is reached from one task, along relations or against them."""

    def __init__(self, start: ObjectId, here: str, there: str) -> None:
        self.here, self.there = here, there
        self.seen, self.edge = {start}, {start}

    def step(self, kind: str) -> None:
        """Go one relation further."""
        found = Relation.objects(**{"kind": kind, f"{self.here}__in": list(self.edge)})
        reached = set(found.limit(MAX_WALKED + 1).scalar(self.there))
        self.edge = reached - self.seen
        self.seen |= reached


def check(source: Task, target: Task, kind: str) -> None:
    """Let a relation from `source` to `target` be made, in the open transaction.

    Raises Conflict: `relation.cycle` when it would close a circle, `relation.too_far` when more than MAX_WALKED tasks
    hang together on each side.
    """
    tasks = _walk(source.id, target.id, kind)
    projects = set(Task.objects(id__in=list(tasks)).distinct("project_id")) | {source.project_id, target.project_id}
    for project_id in sorted(projects):
        hold(project_id)


def hold(project_id: ObjectId) -> None:
    """Let no two units of work beside each other relate tasks of a project, or move them."""
    locks.hold(_lock(project_id))


def drop_lock(project_id: ObjectId) -> None:
    """Delete the lock of a project that is gone for good."""
    locks.drop(_lock(project_id))


def _lock(project_id: ObjectId) -> str:
    return f"relations:{project_id}"


def _walk(source_id: ObjectId, target_id: ObjectId, kind: str) -> set[ObjectId]:
    """Return the tasks on which it rests that nothing leads from the target to the source."""
    ahead, behind = _Side(target_id, "from_id", "to_id"), _Side(source_id, "to_id", "from_id")
    while ahead.edge and behind.edge:
        side, other = (ahead, behind) if len(ahead.seen) <= len(behind.seen) else (behind, ahead)
        side.step(kind)
        if side.seen & other.seen:
            raise Conflict("This would close a circle.", code="relation.cycle")
        if len(side.seen) > MAX_WALKED:
            raise Conflict(f"More than {MAX_WALKED:,} tasks hang together here.", code="relation.too_far")
    return behind.seen if ahead.edge else ahead.seen
