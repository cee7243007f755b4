"""The gateway finds the service of each path by few patterns."""

import re

import pytest

from taskmanager.api import service_guard
from taskmanager.core.errors import Misconfigured
from taskmanager.gateway.patterns import service_patterns


def service_of(path: str, patterns: list[tuple[str, str]]) -> str:
    return next((service for pattern, service in patterns if re.search(pattern, path)), "any")


def test_each_route_is_found(app):
    routes = [(route.rule, route.service) for route in service_guard.routes(app)]
    patterns = service_patterns(routes, "any")
    for rule, service in routes:
        path = re.sub(r"<[^>]+>", "65f1c0ffee0123456789abcd", rule)
        assert service_of(path, patterns) == service, path
    assert len(patterns) < len(routes) / 8


def test_a_path_without_a_route_belongs_to_the_routes_around_it():
    patterns = service_patterns([("/a", "user"), ("/a/<id>/b", "task"), ("/z/<path:name>", "user")], "any")
    found = [
        service_of(path, patterns) for path in ("/a", "/a/1", "/ab", "/a/1/b", "/a/1/b/c", "/a/1/bc", "/z/1/2", "/")
    ]
    assert found == ["user", "task", "any", "task", "task", "task", "user", "any"]


def test_a_fixed_text_is_not_taken_for_a_variable():
    patterns = service_patterns([("/a", "user"), ("/a/me/b", "user"), ("/a/me", "user"), ("/a/<id>/b", "task")], "any")
    assert [service_of(path, patterns) for path in ("/a/me/b", "/a/me", "/a/1/b")] == ["user", "user", "task"]


def test_two_services_at_one_path_are_refused():
    with pytest.raises(Misconfigured, match="task and user both have routes at /a"):
        service_patterns([("/a", "user"), ("/a", "task")], "any")
