"""Bad input of every kind is answered properly, and leaves nothing behind that breaks a read.

All cases share one project, so that what one left behind would be in the way of all that follow. Every list is read
after what was taken or failed, and once more at the end; after what was refused a task is read, and what is sent to a
task gets a task of its own.
"""

from urllib.parse import unquote_to_bytes

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from taskmanager.testing.factories import TaskFactory
from tests.problems import assert_problem
from tests.scene import Scene
from tests.web.hostile import CASES, Case


@pytest.fixture(autouse=True)
def _empty():
    """Not emptied between the cases."""


@pytest.fixture(scope="module")
def scene(app):
    scene = Scene(app)
    yield scene
    assert_reads(scene.owner, scene.lists())


@pytest.mark.parametrize("case", CASES, ids=[ascii(case.name) for case in CASES])
def test_bad_input_is_refused_and_leaves_nothing_poisonous(scene, case):
    task = TaskFactory(project=scene.project) if "{task}" in case.path else scene.task
    answer = send(scene.owner, case, task=task.id, project=scene.project.id)
    assert answer.status_code in case.statuses, f"{answer.status_code}: {answer.text[:500]}"
    if answer.status_code >= 400 and case.method != "HEAD":
        assert_problem(answer, *case.statuses)
    if case.method != "GET":
        lists = [] if 400 <= answer.status_code < 500 else scene.lists()
        assert_reads(scene.owner, [*lists, f"/api/v1/tasks/{task.id}"])


def test_no_two_cases_have_one_name():
    names = [case.name for case in CASES]
    assert [name for name in set(names) if names.count(name) > 1] == []


def assert_reads(client: FlaskClient, paths: list[str]) -> None:
    """The newest rows of every list, and each single thing."""
    statuses = {path: client.get(path).status_code for path in paths}
    assert set(statuses.values()) == {200}, statuses


def send(client: FlaskClient, case: Case, **ids: object) -> TestResponse:
    """Send the case with its path and query untouched, as a server would hand them on."""
    path = case.path
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", str(value))
    path, _, query = path.partition("?")
    headers = {name: value for name, value in case.headers.items() if name != "Content-Type"}
    raw = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query}
    if "Content-Type" in case.headers:
        raw["CONTENT_TYPE"] = case.headers["Content-Type"]
    return client.open("/", method=case.method, data=case.body or None, headers=headers, environ_overrides=raw)
