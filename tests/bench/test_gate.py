"""What each request costs, exactly: MongoDB commands, trips to the stores, index keys, documents, bytes of the answer.

These numbers have no noise, so a difference is a change of the code. When it is meant, put the new numbers into COSTS.
"""

from datetime import timedelta
from typing import NamedTuple

import pytest

from taskmanager.core import clock
from taskmanager.core.storage import database
from taskmanager.features.tasks.counts.slots import slot_of
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from tests.bench.profiler import Profiler
from tests.bench.seeding import plan as plans
from tests.bench.seeding.plan import Plan
from tests.bench.seeding.seed import seed
from tests.web.counting import commands, store_trips

PLAN = Plan(2_000, owners=12, share=0.15)
ALL, HOT = "/api/v1/tasks", f"/api/v1/projects/{plans.project_id(0)}"


class Cost(NamedTuple):
    """Of one request of a caller who has been here before."""

    status: int
    commands: int
    trips: int
    keys: int | None  # None: MongoDB chooses the index, and looks at MAX_CHOSEN keys and documents at most
    documents: int | None
    bytes: int | None  # without the cursor, whose length differs; None: depends on the day


COSTS = {
    "list": Cost(200, 1, 1, 51, 51, 47091),
    "a page, 200 deep": Cost(200, 1, 1, 51, 51, 45609),
    "304 of a list": Cost(304, 1, 1, 1, 1, 0),
    "one task": Cost(200, 1, 1, 1, 1, 1060),
    "304 of a task": Cost(304, 1, 1, 1, 1, 0),
    "all tasks of 10 projects": Cost(200, 1, 1, 60, 51, 45420),
    "assignee = me in one project": Cost(200, 1, 1, None, None, 35947),
    "assignee = me in 10": Cost(200, 1, 1, None, None, 48406),
    "assignee = me in 10, 23 tasks": Cost(200, 1, 1, None, None, 22030),
    "label = bug in one project": Cost(200, 2, 1, None, None, 46382),
    "status = in_progress": Cost(200, 2, 1, None, None, 26859),
    "statistics": Cost(200, 1, 1, 16, 14, None),
    "facets": Cost(200, 1, 1, 2, 1, 1670),
    "create": Cost(201, 6, 1, 4, 4, 649),
    "change": Cost(200, 5, 1, 3, 3, 1033),
    "complete": Cost(200, 8, 1, 7, 7, 1052),
}

MAX_CHOSEN = 250  # four keys for each of fifty tasks, and fifty


def expected_of(name):
    """Statistics read a document for each week; on Sundays from 10:00 UTC on the next week of the counts has begun."""
    cost, now = COSTS.get(name), clock.now()
    if name != "statistics":
        return cost
    monday = now.replace(hour=0, minute=0) - timedelta(days=now.weekday())
    more = slot_of(now).week - slot_of(monday).week
    return cost._replace(keys=cost.keys + more, documents=cost.documents + more)


def is_same(found, expected):
    if expected and expected.keys is None and max(found.keys, found.documents) <= MAX_CHOSEN:
        found = found._replace(keys=None, documents=None)
    return found == expected


class Caller:
    """A person whose requests are counted."""

    def __init__(self, app, profiler, name):
        self.profiler = profiler
        self.client = sign_in(app, User.objects.get(id=PLAN.person(name).id))

    def cost(self, method, path, *, of_day=False, **options):
        """The cost of a request that was sent before."""
        moment = self.profiler.begin()
        with commands.counting() as seen, store_trips() as trips:
            answer = self.client.open(path, method=method, **options)
        found = self.profiler.since(moment, 0)
        keys, documents = (sum(entry.get(name, 0) for entry in found) for name in ("keysExamined", "docsExamined"))
        size = None if of_day else len(answer.data) - len((answer.json or {}).get("next_cursor") or "")
        return Cost(answer.status_code, len(seen), len(trips), keys, documents, size)

    def read(self, path, **options):
        for _ in range(2):
            assert self.client.get(path).status_code == 200
        return self.cost("GET", path, **options)

    def unchanged(self, path):
        headers = {"If-None-Match": self.client.get(path).headers["ETag"]}
        assert self.client.get(path, headers=headers).status_code == 304
        return self.cost("GET", path, headers=headers)

    def page(self, path, depth):
        """The cost of a page after so many."""
        cursor = ""
        for _ in range(depth):
            cursor = "&cursor=" + self.client.get(f"{path}{cursor}").json["next_cursor"]
        return self.read(f"{path}{cursor}")


@pytest.fixture
def person(other_app):
    """Sign a person in: `person("busy-1")`."""
    app = other_app(ratelimit_enabled=True)
    seed(database.database(), PLAN)
    profiler = Profiler()
    yield lambda name: Caller(app, profiler, name)
    profiler.end()


def test_what_requests_cost(person):
    busy, many, few = person("busy-1"), person("busy-10"), person("sparse-10")
    task = f"{ALL}/{busy.client.get(HOT + '/tasks').json['items'][7]['id']}"
    changes = {"headers": {"If-Match": "*"}, "content_type": "application/merge-patch+json"}
    mine, new = f"{ALL}?filter=assignee = me", {"title": "A task", "assignee_ids": []}
    for _ in range(2):
        assert busy.client.post(f"{HOT}/tasks", json=new).status_code == 201
    found = {
        "list": busy.read(f"{HOT}/tasks?sort=-updated_at"),
        "a page, 200 deep": busy.page(f"{HOT}/tasks?sort=-updated_at", 4),
        "304 of a list": busy.unchanged(f"{HOT}/tasks?sort=-updated_at"),
        "one task": busy.read(task),
        "304 of a task": busy.unchanged(task),
        "all tasks of 10 projects": many.read(f"{ALL}?sort=-updated_at"),
        "assignee = me in one project": busy.read(f"{HOT}/tasks?filter=assignee = me"),
        "assignee = me in 10": many.read(mine),
        "assignee = me in 10, 23 tasks": few.read(mine),
        "label = bug in one project": busy.read(f"{HOT}/tasks?filter=label = bug"),
        "status = in_progress": busy.read(f"{HOT}/tasks?filter=status = in_progress"),
        "statistics": busy.read(f"{HOT}/stats", of_day=True),
        "facets": busy.read(f"{HOT}/facets"),
        "create": busy.cost("POST", f"{HOT}/tasks", json=new),
        "change": busy.cost("PATCH", task, data='{"title": "Another"}', **changes),
        "complete": busy.cost("PUT", f"{task}/completion", headers={"If-Match": "*"}),
    }
    changed = {name: cost for name, cost in found.items() if not is_same(cost, expected_of(name))}
    assert not changed, "\n".join(f'    "{name}": Cost{tuple(cost)},' for name, cost in changed.items())
    assert found.keys() == COSTS.keys()
