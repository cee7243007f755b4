"""Bad input of every kind is answered properly, and leaves nothing behind that breaks a read."""

from urllib.parse import unquote_to_bytes

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.problems import assert_problem
from tests.scene import Scene
from tests.web.hostile import CASES, Case

_BODILESS = (204, 304)


@pytest.mark.parametrize("case", CASES, ids=[case.name.encode("unicode_escape").decode() for case in CASES])
def test_bad_input_is_refused_and_leaves_nothing_poisonous(scene, case):
    answer = send(scene.owner, case, task=scene.task.id, project=scene.project.id, user=scene.owner.user.id)
    assert answer.status_code in case.statuses, f"{answer.status_code}: {answer.text[:500]}"
    if answer.status_code >= 400 and case.method != "HEAD":
        assert_problem(answer, *case.statuses)
    for path in scene.lists():
        assert scene.owner.get(path).status_code == 200, path


def test_no_two_cases_have_one_name():
    names = [case.name for case in CASES]
    assert [name for name in set(names) if names.count(name) > 1] == []


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
