"""Three mongods that are killed so that a write is rolled back: what was acknowledged is kept.

LOST_WRITE_ROUNDS sets how often (1): `make lost-write` makes ten rounds.

Both secondaries are killed, so that the primary takes writes that it can tell no one of; then it is killed too, and
the secondaries, which never heard of these writes, go on without it. Whatever was answered with a success must be
there at the end; so must be the reason of every refusal.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest import TempPathFactory

from taskmanager.core.configuration.settings import Settings
from tests.faults.conftest import logged_in, running
from tests.faults.replica_set import ReplicaSet
from tests.faults.stack import Stack, eventually
from tests.faults.web_client import Answer, WebClient

pytestmark = pytest.mark.timeout(1800)

ROUNDS = int(os.environ.get("LOST_WRITE_ROUNDS", "1"))
_RETURN_SECONDS = 90
_TRIES = 3


@pytest.fixture(scope="module")
def members(tmp_path_factory: TempPathFactory) -> ReplicaSet:
    return ReplicaSet(tmp_path_factory.mktemp("replica-set"))


@pytest.fixture(scope="module")
def stack(members: ReplicaSet, tmp_path_factory: TempPathFactory, settings: Settings):
    with running(tmp_path_factory.mktemp("stack"), settings, members) as stack:
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> WebClient:
    return logged_in(stack)


@dataclass
class Writes:
    """What one client sends in one round, and what it was answered."""

    web: WebClient
    project: str
    task: str
    etag: str
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    answers: list[tuple[str, Answer]] = field(default_factory=list)

    def post(self) -> Answer:
        """Make a task, under the same key each time."""
        path = f"/api/v1/projects/{self.project}/tasks"
        return self._note("POST", self.web.send("POST", path, {"title": self.key}, Idempotency_Key=self.key))

    def patch(self) -> Answer:
        """Change the other task, on the revision that it had at the beginning."""
        body, path = {"title": self.key}, f"/api/v1/tasks/{self.task}"
        return self._note("PATCH", self.web.send("PATCH", path, body, If_Match=self.etag))

    def read(self) -> Answer:
        return self._note("GET", self.web.get(f"/api/v1/tasks/{self.task}"))

    def read_titles(self) -> set[str]:
        """What was read of the other task."""
        return {answer.body["title"] for what, answer in self.answers if (what, answer.status) == ("GET", 200)}

    def titles(self) -> list[str]:
        """Of the tasks that there are now."""
        return [task["title"] for task in self.web.get(f"/api/v1/projects/{self.project}/tasks").body["items"]]

    def _note(self, what: str, answer: Answer) -> Answer:
        self.answers.append((what, answer))
        return answer

    def said(self) -> str:
        return ", ".join(f"{what} {answer.status}" for what, answer in self.answers)


def begin(web: WebClient) -> Writes:
    project = web.send("POST", "/api/v1/projects", {"key": f"P{secrets.randbelow(10**6)}", "name": "Kept"})
    assert project.status == 201, project
    task = web.send("POST", f"/api/v1/projects/{project.body['id']}/tasks", {"title": "before"})
    assert task.status == 201, task
    return Writes(web, project.body["id"], task.body["id"], task.headers["ETag"])


def lose(members: ReplicaSet, during: Any) -> None:
    """Have the primary take what `during` sends, and then go on with the others, who never heard of it."""
    members.settled()
    primary, others = members.primary, members.secondaries()
    assert primary and len(others) == 2
    members.kill(*others)
    during()
    members.kill(primary)
    for other in others:
        other.start(timeout=60)
    eventually(lambda: members.primary in others, "another primary", _RETURN_SECONDS)


def send_and_fail_over(members: ReplicaSet, web: WebClient) -> Writes:
    """Answers what was sent in the worst moment."""
    writes = begin(web)
    lose(members, lambda: [(writes.post(), writes.patch(), writes.read()) for _ in range(_TRIES)])
    eventually(lambda: web.get("/api/v1/projects").status == 200, "the service", _RETURN_SECONDS)
    return writes


def answered(send: Callable[[], Answer]) -> Answer:
    """Send until the answer is none of a database that is too busy on this machine."""
    found: list[Answer] = []
    eventually(lambda: found.append(send()) or found[-1].status != 503, "an answer", _RETURN_SECONDS)
    return found[-1]


def is_lost(writes: Writes) -> bool:
    """Whether a task was acknowledged that is not there."""
    acknowledged = any(what == "POST" and answer.status < 300 for what, answer in writes.answers)
    return acknowledged and writes.key not in writes.titles()


def test_what_was_acknowledged_is_there_after_a_failover(members: ReplicaSet, web: WebClient, capsys):
    lost = 0
    for number in range(ROUNDS):
        writes = send_and_fail_over(members, web)
        with capsys.disabled():
            print(f"\nround {number + 1}: {writes.said()}; then {writes.titles()}")
        lost += is_lost(writes)
        # refused because of a change, or shown a change, that was never made
        assert "PATCH 412" not in writes.said()
        assert writes.read_titles() <= {"before"}
        again = answered(writes.post), answered(writes.patch)
        assert [answer.status for answer in again] == [201, 200], again
        assert "Idempotency-Replayed" not in again[0].headers
        assert writes.titles().count(writes.key) == 2  # the one made, and the one changed
        members.start()  # the old primary rolls back what only it has
    with capsys.disabled():
        print(f"{ROUNDS} rounds: {lost} acknowledged writes lost")
    assert lost == 0
