"""A list that has not changed is 304 without a look at its tasks; one that has changed never is, whoever changed it."""

import random
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
import requests
import time_machine

from taskmanager.features.tasks import service as tasks
from taskmanager.testing.factories import ProjectFactory, TaskFactory, actor_of
from tests.features.insights.counts.test_counts import BEGIN, USE_CASES, Office
from tests.scene import Scene, patch

MOST_STEPS = 60
LISTS = (
    "",
    "?sort=-updated_at&limit=3&with_total=true",
    "?filter=status = open&fields=id,title",
    "?filter=assignee = me",
    "?filter=label = bug or priority = high",
    "?filter=due_at > 2026-09-20&sort=due_at",
)


@pytest.fixture
def ask(scene):
    """Asks for a list, with the ETag of a response."""

    def send(known=None, path=None):
        headers = {"If-None-Match": known.headers["ETag"]} if known else {}
        return scene.owner.get(path or scene.tasks_path, headers=headers)

    return send


@pytest.mark.parametrize("path", [None, "/api/v1/tasks", "/api/v1/tasks?filter=status = open", "/api/v1/tasks?limit=1"])
def test_the_second_question_reads_the_generation_alone(scene, ask, commands, path):
    TaskFactory(project=scene.project)
    first = ask(path=path)
    assert ask(first, path).status_code == 304
    with commands.counted() as sent:
        again = ask(first, path)
    assert (again.status_code, again.headers["ETag"], again.data) == (304, first.headers["ETag"], b"")
    assert sent == ["find"]


def test_a_list_without_a_tag_costs_no_more_than_before(scene, ask, commands):
    ask()
    with commands.counted() as sent:
        assert ask().status_code == 200
    assert sent == ["find"]


def test_a_list_that_changes_with_the_time_is_read(app):
    with time_machine.travel(datetime(2026, 9, 18, 12, tzinfo=UTC), tick=False) as clock:
        scene = Scene(app)
        patch(scene.owner, scene.task_path, {"due": "2026-09-18T12:05:00Z"})
        path = f"{scene.tasks_path}?filter=due_at < now"
        headers = {"If-None-Match": scene.owner.get(path).headers["ETag"]}
        assert [scene.owner.get(path, headers=headers).status_code for _ in range(3)] == [304] * 3
        clock.shift(timedelta(minutes=6))
        assert len(scene.owner.get(path, headers=headers).json["items"]) == 1


def test_a_list_that_embeds_names_is_read(scene):
    patch(scene.owner, scene.task_path, {"assignee_ids": [str(scene.owner.user.id)]})
    path = f"{scene.tasks_path}?expand=assignees"
    headers = {"If-None-Match": scene.owner.get(path).headers["ETag"]}
    assert [scene.owner.get(path, headers=headers).status_code for _ in range(3)] == [304] * 3
    patch(scene.owner, "/api/v1/users/me", {"name": "Another name"})
    assert scene.owner.get(path, headers=headers).status_code == 200


def test_another_tag_of_the_same_page_gets_the_page(scene, ask):
    first = ask()
    patch(scene.owner, scene.task_path, {"title": "Read the notes"})
    second = ask(first)
    assert (second.status_code, second.json["items"][0]["title"]) == (200, "Read the notes")
    assert ask(second).status_code == 304
    assert ask(first).status_code == 200
    assert ask(second).status_code == 304


def test_due_times_that_follow_the_zone_of_the_project_are_seen(scene, ask, deliver):
    """The service changes these tasks without an event."""
    patch(scene.owner, scene.task_path, {"due": "2030-06-01"})
    patch(scene.owner, scene.project_path, {"timezone": "Asia/Tokyo"})
    first = ask()
    assert ask(first).status_code == ask(first).status_code == 304
    deliver()
    second = ask(first)
    assert second.status_code == 200 and second.json != first.json


def test_who_left_a_project_sees_its_list_no_more(scene):
    member = scene.member()
    first = member.get("/api/v1/tasks")
    headers = {"If-None-Match": first.headers["ETag"]}
    assert [member.get("/api/v1/tasks", headers=headers).status_code for _ in range(2)] == [304, 304]
    scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers={"If-Match": "*"})
    assert member.get("/api/v1/tasks", headers=headers).json["items"] == []
    project = ProjectFactory(owner=member.user)
    TaskFactory(project=project)
    assert len(member.get("/api/v1/tasks", headers=headers).json["items"]) == 1


def works(office, name):
    """Do something, and return whether it was done: not refused, and not without anything to do it to."""
    answer = getattr(office, name)()
    assert answer is None or answer.status_code < 500, answer.text
    return name in ("wait", "count_overdue") or (answer is not None and answer.status_code < 300)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_done_a_304_hides_no_change(app, deliver, seed):
    """Each use case is done: what finds nothing to do it to comes again, after a new task and a completed one."""
    with time_machine.travel(BEGIN, tick=False) as clock:
        scene = Scene(app)
        office, known, done, hits = Office(scene, seed, clock), {}, set(), 0
        pick = random.Random(seed)
        paths = [f"{place}{query}" for query in LISTS for place in (scene.tasks_path, "/api/v1/tasks")]
        left = deque(pick.sample(USE_CASES, len(USE_CASES)))
        left.extendleft(["create"] * 3)
        for _ in range(MOST_STEPS):
            name = left.popleft()
            if works(office, name):
                done.add(name)
            elif name not in done:
                left.extend(["create", "complete", name])
            if pick.random() < 0.2:
                deliver()
            for path in paths:
                for _ in range(2):
                    fresh = scene.owner.get(path)
                    etag = known.get(path, fresh.headers["ETag"])
                    again = scene.owner.get(path, headers={"If-None-Match": etag})
                    assert (again.status_code == 304) == (etag == fresh.headers["ETag"]), f"{path} after {name}"
                    hits += again.status_code == 304
                    known[path] = fresh.headers["ETag"]
            if done.issuperset(USE_CASES):
                break
        assert done.issuperset(USE_CASES) and hits > 100


class Poller:
    """Asks real processes for the lists of an owner; each request may be another process's."""

    def __init__(self, scene, server):
        self.scene, self.server = scene, server
        self.path = f"{scene.tasks_path}?limit=10"

    def get(self, etag=None):
        headers = {"Authorization": self.scene.owner.environ_base["HTTP_AUTHORIZATION"]}
        headers |= {"If-None-Match": etag} if etag else {}
        return requests.get(self.server.url + self.path, headers=headers, timeout=30)

    def settle(self):
        """Ask until every process knows the page, and return its ETag."""
        etag = self.get().headers["ETag"]
        assert {self.get(etag).status_code for _ in range(20)} == {304}
        return etag

    def assert_changed(self, etag):
        """Every process has the change at once."""
        assert {self.get(etag).status_code for _ in range(10)} == {200}


def test_two_processes_and_a_worker_see_each_change_at_once(scene, server, deliver):
    poller, actor = Poller(scene, server), actor_of(scene.owner.user)
    etag = poller.settle()
    tasks.update(scene.task.id, {"title": "Written by this process"}, if_match=None, actor=actor)
    poller.assert_changed(etag)

    etag = poller.settle()
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"], "If-Match": "*"}
    body = {"title": "Written by one of the two"}
    patch_type = headers | {"Content-Type": "application/merge-patch+json"}
    sent = requests.patch(server.url + scene.task_path, json=body, headers=patch_type, timeout=30)
    assert sent.status_code == 200, sent.text
    poller.assert_changed(etag)

    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "bug"}).json["id"]
    patch(scene.owner, scene.task_path, {"label_ids": [label]})
    scene.owner.delete(f"{scene.project_path}/labels/{label}", headers={"If-Match": "*"})
    etag = poller.settle()
    assert deliver() > 0  # the worker takes the label off
    poller.assert_changed(etag)
