"""Causal tokens with one member: who gets one, and which texts are none. Three members are in `tests/faults`."""

from math import inf

import pytest
from bson.timestamp import Timestamp
from pymongo.errors import ServerSelectionTimeoutError

from taskmanager.core.security import access
from taskmanager.core.storage import database
from taskmanager.core.storage.replicas import reading
from taskmanager.web.consistency import causal_tokens
from tests.failpoints import failpoint
from tests.faults.stack import eventually
from tests.problems import assert_problem
from tests.scene import Scene

TOKEN = causal_tokens.HEADER


@pytest.fixture
def replicated(other_app):
    """A scene whose lists secondaries may answer."""
    reading.wake()
    yield Scene(other_app(replica_reads="lists"))
    reading.wake()


def test_a_slow_query_is_no_fault_of_a_member(impatient):
    """Half of the limit of an operation bounds the wait for each answer, and no query that has a limit of its own."""

    def is_no_fault():
        reading.wake()
        headers = {TOKEN: impatient.owner.post(impatient.tasks_path, json={"title": "x"}).headers[TOKEN]}
        with slow("aggregate", seconds=1.2):
            two = impatient.owner.get("/api/v1/tasks/stats", headers=headers)
        with slow("aggregate", seconds=2.1):
            one = impatient.owner.get("/api/v1/search?q=x", headers=headers)
        with slow("aggregate", seconds=4):
            answer = impatient.owner.get("/api/v1/search?q=x", headers=headers)
        assert_problem(answer, 503, code="query.too_slow")
        return (two.status_code, one.status_code, reading.are_resting()) == (200, 200, False)

    eventually(is_no_fault, "responses in time", 60)  # again when the machine itself was too busy


def test_a_list_that_does_not_come_is_read_from_the_primary(impatient):

    def is_read():
        reading.wake()
        headers = {TOKEN: impatient.owner.post(impatient.tasks_path, json={"title": "x"}).headers[TOKEN]}
        with slow("find", seconds=2.2, times=1):
            return impatient.owner.get(impatient.tasks_path, headers=headers).status_code == 200

    eventually(is_read, "a response in time", 60)  # again when the machine itself was too busy
    eventually(reading.are_resting, "the rest")  # not while the driver looks for the primary, which it has lost then


def test_without_a_primary_only_a_caller_whose_rights_are_known_passes(impatient, monkeypatch):
    """Everything that needs the primary is 503 at once: a token would let anybody wait for it, with a slot each."""
    headers = {TOKEN: impatient.owner.post(impatient.tasks_path, json={"title": "x"}).headers[TOKEN]}
    assert impatient.owner.get(impatient.tasks_path, headers=headers).status_code == 200

    def status(path):
        database.breaker.trip(ServerSelectionTimeoutError("no primary"))
        monkeypatch.setattr(database.breaker, "_probe_at", inf)  # half a second may be too short for a request
        return impatient.owner.get(path, headers=headers).status_code

    try:
        assert status(impatient.tasks_path) == 200
        assert status(f"{impatient.task_path}/comments") == 503
        access.invalidate_all()
        assert status(impatient.tasks_path) == 503
    finally:
        database.breaker.close()
    assert impatient.owner.get(impatient.tasks_path, headers=headers).status_code == 200


def slow(command, *, seconds, times=None):
    """Let the server wait before each such command."""
    return failpoint(command, times=times, blockConnection=True, blockTimeMS=round(seconds * 1000))


@pytest.fixture
def impatient(other_app):
    """A scene with twice the limits of production, where secondaries may answer everything that they can."""
    reading.wake()
    yield Scene(other_app(replica_reads="lists,search,statistics", mongodb_timeout_ms=3800))
    reading.wake()


def test_without_the_setting_there_is_no_token(scene):
    made = scene.owner.post(scene.tasks_path, json={"title": "x"})
    assert TOKEN not in made.headers
    assert TOKEN not in scene.owner.get(scene.tasks_path).headers
    assert_problem(scene.owner.get(scene.tasks_path, headers={TOKEN: "x"}), 400, code="header.causal_token")


def test_writes_and_allowed_reads_have_a_token(replicated):
    owner, path = replicated.owner, replicated.tasks_path
    made = owner.post(path, json={"title": "x"})
    sent = {TOKEN: made.headers[TOKEN]}
    assert owner.get(path, headers=sent).headers[TOKEN]
    assert owner.get(path).headers[TOKEN]
    assert TOKEN not in owner.get("/api/v1/tasks/stats", headers=sent).headers  # a kind that is not allowed
    assert TOKEN not in owner.get(replicated.task_path, headers=sent).headers  # a single item
    assert TOKEN not in owner.post(path, json={}).headers  # nothing was written
    assert owner.delete(replicated.task_path, headers={"If-Match": "*"}).headers[TOKEN]


def test_a_token_is_refused_after_the_caller_is_known(replicated):
    anonymous = replicated.app.test_client()
    assert anonymous.get(replicated.tasks_path, headers={TOKEN: "x"}).status_code == 401
    assert_problem(replicated.owner.get(replicated.tasks_path, headers={TOKEN: "x"}), 400, code="header.causal_token")


@pytest.mark.parametrize("resting", [False, True])
def test_a_token_from_before_a_restore_counts_as_none(replicated, resting):
    """The database has never had this time, and would refuse to wait for it."""
    with replicated.app.app_context():
        token = causal_tokens.make(Timestamp(2**32 - 10, 1))
    if resting:
        reading.rest(OSError())
    answer = replicated.owner.get(replicated.tasks_path, headers={TOKEN: token})
    assert answer.status_code == 200
    assert answer.headers[TOKEN] != token
