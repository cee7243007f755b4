"""The tasks of a project, as rows that equal what `Task.save` stores: test_seeding.py compares them field by field."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from bson import ObjectId

from taskmanager.core import fractional
from taskmanager.core.search_tokens import description_tokens_of, tokens_of
from taskmanager.core.storage.orders import Row, natural_key
from taskmanager.features.projects.workflow import Workflow
from taskmanager.features.tasks.due import due_at
from taskmanager.features.tasks.models import index_tags_of
from tests.bench.seeding import plan as plans
from tests.bench.seeding.plan import LABEL_SHARES, LABELS, SPARSE, Plan

DAYS = 400  # before now in which the tasks were created
_DAY = timedelta(days=1)
_STATUSES, _WEIGHTS = ("open", "in_progress", "done", "cancelled"), (300, 80, 618, 2)
_GROUP_OF = {status: Workflow().group_of(status) for status in _STATUSES}
_TEXT = """
    review contract with the supplier before friday and send notes to finance about missing invoices of last quarter
    prepare slides for customer meeting check server backups renew certificate order paper ask legal about licence
"""
_WORDS = _TEXT.split()


class Tasks:
    """The rows of the tasks of one project, the same for the same plan, project and moment."""

    def __init__(self, plan: Plan, project: int, now: datetime) -> None:
        self.project, self.now = project, now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.size = plan.size_of(project)
        self._id, self._key = plans.project_id(project), plans.key_of(project)
        self._random = random.Random(project)
        self._members = plan.members_of(project)
        self._busy = [person.id for person in plan.people_of(project) if person.busy]
        self._labels = {name: plans.label_id(project, name) for name in LABELS}
        self._begin, self._step = self.now - DAYS * _DAY, DAYS * _DAY / max(1, self.size)
        self._sparse = _sparse(plan, project, self.size)

    def rows(self) -> list[Row]:
        """Return the rows in the order of their creation."""
        rows: list[Row] = []
        for number in range(self.size):
            rows.append(self._row(number, rows))
        return rows

    def _row(self, number: int, before: list[Row]) -> Row:
        pick, created = self._random.random, _milliseconds(self._begin + self._step * (number + self._random.random()))
        key = f"{self._key}-{number + 1}"
        title = f"{_text(self._random.randrange(1000), 5)} {number}"
        row: Row = {
            "_id": ObjectId(f"{int(created.timestamp()):08x}{self.project:08x}{number:08x}"),
            "project_id": self._id,
            "key": key,
            "key_order": natural_key(key),
            "title": title,
            "words": tokens_of(title),
            "position": fractional.at(number + 1),
            "created_at": created,
            "former_keys": [],
            "progress": {},
            "custom_fields": {"points": number % 13} if pick() < 0.2 else {},
            "priority": self._random.choices(range(5), (50, 15, 20, 12, 3))[0],
            "description_tokens": [],
        }
        row |= self._description() | self._people(number) | self._dates(created) | self._state(created)
        if pick() < 0.02:
            self._place(row, before)
        row["marks"] = index_tags_of(row["assignee_ids"], row["label_ids"], row["watcher_ids"])
        return row

    def _description(self) -> Row:
        if self._random.random() < 0.5:
            return {}
        text, tokens = _described(self._random.randrange(200))
        return {"description": text, "description_tokens": list(tokens)}

    def _people(self, number: int) -> Row:
        assignees = [user for user in self._busy if self._random.random() < 0.1]
        assignees += self._random.sample(self._members, min(len(self._members), self._random.choice((0, 1, 1, 2))))
        watchers = self._random.sample(self._members, self._random.choice((0, 0, 0, 1)))
        watchers += [user for user in self._busy if self._random.random() < 0.05]
        labels = [self._labels[name] for name, share in zip(LABELS, LABEL_SHARES, strict=False) if self._has(share)]
        reporters = [*self._members, *self._busy] if self._random.random() < 0.5 else self._members[:1]
        found: Row = {"assignee_ids": assignees, "watcher_ids": watchers, "label_ids": labels}
        found["reporter_id"] = self._random.choice(reporters)
        for role, value in self._sparse.get(number, ()):
            if role == "reporter_id":
                found[role] = value
            else:
                found[role].append(value)
        return found

    def _has(self, share: float) -> bool:
        return self._random.random() < share

    def _dates(self, created: datetime) -> Row:
        found: Row = {}
        if self._has(0.5):
            due = (created + self._random.randint(1, 60) * _DAY).strftime("%Y-%m-%d")
            found |= {"due": due, "due_at": _due_at(due), "due_floating": True}
        if self._has(0.2):
            found["start_at"] = _milliseconds(created + self._random.random() * 30 * _DAY)
        if self._has(0.3):
            found["estimate_minutes"] = self._random.randrange(15, 500)
        return found

    def _state(self, created: datetime) -> Row:
        status = self._random.choices(_STATUSES, _WEIGHTS)[0]
        found: Row = {"status": status, "status_group": _GROUP_OF[status]}
        updated = _milliseconds(created + self._random.random() * min(self.now - created, 60 * _DAY))
        if status == "open" and self._has(0.4):
            updated = created
        if status in ("in_progress", "done"):
            found["started_at"] = _milliseconds(created + self._random.random() * (updated - created))
        if status in ("done", "cancelled"):
            found["closed_at"] = updated
        if status == "done":
            found["completed_at"] = updated
        return found | {"updated_at": updated, "revision": 1 if updated == created else self._random.randint(2, 5)}

    def _place(self, row: Row, before: list[Row]) -> None:
        """Make the row a subtask of one of the last rows that is none."""
        parents = [parent for parent in before[-20:] if "parent_id" not in parent]
        if not parents:
            return
        parent = self._random.choice(parents)
        progress = parent["progress"] or {"total": 0, "done": 0}
        row["parent_id"] = parent["_id"]
        done = progress["done"] + (row["status_group"] == "done")
        parent["progress"] = {"total": progress["total"] + 1, "done": done}
        parent["revision"] += 1


def _sparse(plan: Plan, project: int, size: int) -> dict[int, list[tuple[str, Any]]]:
    """Return what the sparse people, and the label "rare", have in a project: {number of the task: [(field, id)]}."""
    found: dict[int, list[tuple[str, Any]]] = {}

    def add(field: str, value: ObjectId, count: int, shift: int) -> None:
        for each in range(min(count, size)):
            number = (each * size // min(count, size) + shift) % size
            found.setdefault(number, []).append((field, value))

    for person in plan.people_of(project):
        if not person.busy:
            count = len(range(project, SPARSE, min(person.width, plan.owners)))
            for shift, field in enumerate(("assignee_ids", "watcher_ids", "reporter_id"), start=person.width % 7):
                add(field, person.id, count, shift)
    add("label_ids", plans.label_id(project, "rare"), min(SPARSE, 1 + size // 100), 1)
    return found


def every(plan: Plan, now: datetime) -> Iterator[list[Row]]:
    """Yield the rows of each project."""
    for project in range(plan.owners):
        yield Tasks(plan, project, now).rows()


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@cache
def _due_at(due: str) -> datetime:
    return due_at(due, "UTC")


def _text(number: int, count: int) -> str:
    return " ".join(_WORDS[(number * 7 + place * (number % 5 + 1)) % len(_WORDS)] for place in range(count))


@cache
def _described(number: int) -> tuple[str, tuple[str, ...]]:
    text = _text(number, 40)
    return text, tuple(description_tokens_of(text))
