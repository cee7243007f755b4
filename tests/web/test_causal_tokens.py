"""Causal tokens with one member: who gets one, and which texts are none. Three members are in `tests/faults`."""

import pytest
from bson.timestamp import Timestamp

from taskmanager.core.storage.replicas import reading
from taskmanager.web.consistency import causal_tokens
from tests.problems import assert_problem
from tests.scene import Scene

TOKEN = causal_tokens.HEADER


@pytest.fixture
def replicated(other_app):
    """A scene whose lists secondaries may answer."""
    reading.wake()
    yield Scene(other_app(replica_reads="lists"))
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
