"""Expensive queries of one account leave room: for its own other requests, and for those of everybody else."""

from contextlib import ExitStack

import pytest

from taskmanager.core.configuration import settings
from taskmanager.core.storage.expensive import expensive_queries
from tests.problems import assert_problem

EXPENSIVE = (
    {"filter": "title ~ notes"},
    {"filter": "description is null"},
    {"filter": "status = open and (priority = high or title ~ x)"},
    {"filter": "status = open", "with_total": "true"},
)
CHEAP = ({}, {"filter": "status = open"}, {"filter": "assignee = me", "sort": "due_at"}, {"with_total": "true"})
OTHERS = (
    "/api/v1/search?q=notes",
    "/api/v1/tasks/facets?filter=status = open",
    "/api/v1/tasks/stats?filter=status = open",
)
COUNTED = ("/api/v1/tasks/facets", "/api/v1/tasks/stats")


@pytest.fixture
def busy(own_process):
    """Let so many expensive queries of accounts be under way."""
    with ExitStack() as stack:
        yield lambda *accounts: [stack.enter_context(expensive_queries.place(str(account))) for account in accounts]


def test_more_than_a_few_at_a_time_are_refused_and_all_else_goes_on(scene, busy):
    busy(*[scene.owner.user.id] * settings.current().expensive_queries)
    for query in EXPENSIVE:
        problem = scene.owner.get("/api/v1/tasks", query_string=query)
        assert_problem(problem, 429, code="query.too_many")
        assert int(problem.headers["Retry-After"]) >= 1
    for path in OTHERS:
        assert_problem(scene.owner.get(path), 429, code="query.too_many")
    for query in CHEAP:
        assert scene.owner.get(scene.tasks_path, query_string=query).status_code == 200
    for path in COUNTED:
        assert scene.owner.get(path).status_code == 200
    other = scene.member("viewer")
    for query in EXPENSIVE:
        assert other.get(scene.tasks_path, query_string=query).status_code == 200


def test_all_together_have_a_share_of_the_places(scene, busy):
    busy(*[f"account {number}" for number in range(3 * settings.current().web_threads // 8)])
    assert_problem(scene.owner.get("/api/v1/tasks", query_string=EXPENSIVE[0]), 503, code="query.busy")
    assert scene.owner.get("/api/v1/tasks", query_string=CHEAP[1]).status_code == 200


def test_a_place_is_given_back(scene):
    for _ in range(3 * settings.current().web_threads):
        assert scene.owner.get("/api/v1/tasks", query_string=EXPENSIVE[0]).status_code == 200
        assert_problem(scene.owner.get("/api/v1/tasks", query_string={"filter": "nothing = 1"}), 422)
