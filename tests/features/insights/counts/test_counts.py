"""Counts and tasks say the same: whatever was done, in every time zone, and after the counts were damaged."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from taskmanager.features.insights import facets, statistics
from taskmanager.features.insights.counts.repair import Recount, count_overdue
from taskmanager.features.tasks.models import Task
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import actor_of
from tests.features.test_counters import ANY, V1, World
from tests.scene import Scene, patch

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Australia/Lord_Howe")
BEGIN = datetime(2026, 9, 18, 9, 50, tzinfo=UTC)  # clocks change in Berlin, St. John's and Lord Howe in the next weeks
STEPS = 70
PERIODS = ((1, 1), (12, 30), (52, 365))


class Office(World):
    """A world in which tasks have dues, labels, priorities and assignees, and time passes."""

    def __init__(self, scene, seed, clock):
        super().__init__(scene, seed)
        self.clock = clock
        bodies = [{"name": name} for name in ("bug", "wish")]
        paths = [f"{V1}/projects/{project}/labels" for project in self.projects]
        self.labels = {path: [scene.owner.post(path, json=body).json["id"] for body in bodies] for path in paths}

    def wait(self):
        self.clock.shift(timedelta(minutes=self.pick.choice([7, 40, 60 * 11, 60 * 24 * 3])))
        self.people = [sign_in(self.scene.app, person.user) for person in self.people]  # tokens have expired
        self.scene.owner = self.people[0]

    def assign(self):
        people = self.pick.sample([str(person.user.id) for person in self.people], self.pick.randrange(3))
        return patch(self.who, self.one(deleted_at=None), {"assignee_ids": people})

    def rate(self):
        change = {"priority": self.pick.choice(["none", "high"]), "estimate_minutes": self.pick.choice([None, 30, 95])}
        return patch(self.who, self.one(deleted_at=None), change)

    def schedule(self):
        moment = datetime.now(UTC) + timedelta(minutes=self.pick.randrange(-9000, 9000))
        due = self.pick.choice([None, moment.date().isoformat(), moment.strftime("%Y-%m-%dT%H:%M:%SZ")])
        return patch(self.who, self.one(deleted_at=None, recurrence=None), {"due": due})

    def label(self):
        labels = self.pick.choice(list(self.labels.values()))
        return patch(self.who, self.one(deleted_at=None), {"label_ids": self.pick.sample(labels, 1)})

    def begin(self):
        return patch(self.who, self.one(deleted_at=None), {"status": "in_progress"})

    def change_zone(self):
        path = f"{V1}/projects/{self.pick.choice(self.projects)}"
        return patch(self.people[0], path, {"timezone": self.pick.choice(ZONES)})

    def create_many(self):
        path = f"{V1}/tasks/bulk"
        task = {"title": "One of many", "due": "2026-10-01", "assignee_ids": [str(self.people[0].user.id)]}
        create = {"op": "create", "project_id": self.pick.choice(self.projects), "task": task}
        return self.who.post(path, json={"operations": [create] * 3})

    def count_overdue(self):
        for project in self.projects:
            count_overdue(project_id_of(project))


def project_id_of(text):
    return Task._fields["project_id"].to_python(text)


USE_CASES = sorted(name for name in {*vars(World), *vars(Office)} if not name.startswith("_"))
USE_CASES = [name for name in USE_CASES if name not in ("new_project", "second_member", "one", "who", "copy", "remind")]


@pytest.fixture
def clock():
    with time_machine.travel(BEGIN, tick=False) as clock:
        yield clock


def actors(user):
    """The same person in every zone."""
    return [actor_of(user.reload()).__class__(**vars(actor_of(user)) | {"timezone": zone}) for zone in ZONES]


def assert_same(user, projects, after):
    """Compare what is answered from counts with what an aggregation of the tasks answers."""
    for actor in actors(user):
        for project in (None, *projects):
            stored = facets.count_values(actor=actor, project_id=project)
            assert stored == facets.of_matching(None, actor, project), f"after {after}"
            for weeks, days in PERIODS:
                period = statistics.Period.of(actor, weeks, days)
                stored = statistics.compute(actor=actor, project_id=project, weeks=weeks, days=days)
                found = statistics.of_matching(None, actor, project, period)
                assert stored == found, f"after {after} in {actor.timezone}"


@pytest.mark.parametrize("seed", range(3))
def test_counts_say_what_the_tasks_say_after_anything(app, deliver, clock, seed):
    scene = Scene(app)
    office, done = Office(scene, seed, clock), []
    projects = [project_id_of(project) for project in office.projects]
    for step in range(STEPS):
        name = office.pick.choice(["create", *USE_CASES])
        answer = getattr(office, name)()
        assert answer is None or answer.status_code < 500, answer.text
        if answer is None or answer.status_code < 300:
            done.append(name)
        if step % 10 == 9:
            assert_same(scene.owner.user, projects, done)
    assert len(set(done)) > len(USE_CASES) // 2, done
    label = next(iter(office.labels.items()))
    scene.owner.delete(f"{label[0]}/{label[1][0]}", headers=ANY)
    scene.owner.delete(f"{scene.members_path}/{office.people[1].user.id}", headers=ANY)
    deliver()
    assert_same(scene.owner.user, projects, [*done, "a label is deleted, and a member leaves"])
    recount = Recount.of_service()
    assert [recount.differences(project).numbers for project in projects] == [{}, {}]
