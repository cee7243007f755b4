"""Which of several things that are wrong is said: what the caller may not see comes before how they asked for it."""

import pytest

from tests.problems import assert_problem

BAD = {"cursor": "no-cursor"}
LISTS = ("tasks", "members", "labels", "custom-fields", "invitations", "share-links", "views", "webhooks")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_not_visible_is_404_whatever_its_cursor(scene, caller, name):
    assert_problem(caller().get(f"{scene.project_path}/{name}", query_string=BAD), 404)
    assert_problem(scene.owner.get(f"{scene.project_path}/{name}", query_string=BAD), 400, code="cursor.invalid")


@pytest.mark.parametrize("name", ["comments", "attachments", "reminders", "relations", "subtasks", "activity"])
def test_so_is_a_list_of_a_task(scene, caller, name):
    assert_problem(caller().get(f"{scene.task_path}/{name}", query_string=BAD), 404)
    assert_problem(scene.owner.get(f"{scene.task_path}/{name}", query_string=BAD), 400, code="cursor.invalid")


@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/audit"])
def test_a_list_that_is_not_allowed_is_403(scene, path):
    assert_problem(scene.owner.get(path, query_string=BAD), 403)


def test_a_task_is_refused_for_what_it_names_before_its_status_and_rule(scene):
    body = {"title": "x", "label_ids": ["65f1c0ffee0123456789abcd"], "status": "no_such_status"}
    problem = assert_problem(scene.owner.post(scene.tasks_path, json=body), 422)
    assert [error["code"] for error in problem["errors"]] == ["task.label_unknown"]
