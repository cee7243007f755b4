"""Check that a new relation closes no cycle, by a bidirectional search with a bound.

The search steps from both ends in turn and stops when one side has no further tasks; then the result depends on the
tasks of that side only. After the search the unit of work locks the projects of these tasks and of the two ends: a
concurrent unit of work that relates any of these tasks writes one of the same locks, and the later one is run again.
"""

from bson import ObjectId

from taskmanager.core.errors import Conflict
from taskmanager.core.storage import locks
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.relations.models import Relation

MAX_WALKED = 1_000  # tasks


class _Side:
    """The tasks reached from one task, along relations or against them."""

    def __init__(self, start: ObjectId, near: str, far: str) -> None:
        self.near, self.far = near, far  # the fields of a relation with its ends
        self.visited, self.frontier = {start}, {start}

    def step(self, kind: str) -> None:
        """Follow one relation from each task of the frontier."""
        found = Relation.objects(**{"kind": kind, f"{self.near}__in": list(self.frontier)})
        reached = set(found.limit(MAX_WALKED + 1).scalar(self.far))
        self.frontier = reached - self.visited
        self.visited |= reached


def check(source: Task, target: Task, kind: str) -> None:
    """Check that a relation from `source` to `target` can be created, and lock the projects, in the open transaction.

    Raises Conflict: `relation.cycle` when it would close a cycle, `relation.too_far` when more than MAX_WALKED tasks
    are connected on each side.
    """
    tasks = _walk(source.id, target.id, kind)
    projects = set(Task.objects(id__in=list(tasks)).distinct("project_id")) | {source.project_id, target.project_id}
    for project_id in sorted(projects):
        lock(project_id)


def lock(project_id: ObjectId) -> None:
    """Lock the relations of a project: no two concurrent units of work relate or move its tasks."""
    locks.hold(_lock(project_id))


def delete_lock(project_id: ObjectId) -> None:
    """Delete the lock of a purged project."""
    locks.drop(_lock(project_id))


def _lock(project_id: ObjectId) -> str:
    return f"relations:{project_id}"


def _walk(source_id: ObjectId, target_id: ObjectId, kind: str) -> set[ObjectId]:
    """Return the tasks whose relations show that no path leads from the target to the source.

    Raises Conflict, see `check`.
    """
    ahead, behind = _Side(target_id, "from_id", "to_id"), _Side(source_id, "to_id", "from_id")
    while ahead.frontier and behind.frontier:
        side, other = (ahead, behind) if len(ahead.visited) <= len(behind.visited) else (behind, ahead)
        side.step(kind)
        if side.visited & other.visited:
            raise Conflict("This relation would close a cycle.", code="relation.cycle")
        if len(side.visited) > MAX_WALKED:
            raise Conflict(f"More than {MAX_WALKED:,} tasks are connected by these relations.", code="relation.too_far")
    return behind.visited if ahead.frontier else ahead.visited
