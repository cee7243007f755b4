"""Services apart behind the gateway: as one service to clients, and one that is down takes its own routes alone."""

import re

import pytest
import requests

from taskmanager.api import service_guard
from tests.functional.test_journey import test_from_registering_to_the_mail as journey
from tests.gateway.apart import SERVICES

ID = "65f1c0ffee0123456789abcd"


def requests_of(app):
    """Yield method, path and service of each route."""
    for route in service_guard.routes(app):
        if route.service == "stream":  # its process is not a web process
            continue
        path = re.sub(r"<[^>]+>", "x", route.rule.replace("<objectid:", "<x:").replace("<path:", "<x:"))
        for method in route.methods:
            yield method, re.sub(r"/x(?=/|$)", f"/{ID}", path), route.service


def test_the_journey_passes(apart, mail, deliver):
    journey(apart, mail, deliver)


def test_each_request_comes_to_the_service_that_serves_it(apart, app):
    with requests.Session() as client:
        for method, path, _ in requests_of(app):
            answer = client.request(method, apart.url + path, timeout=60, allow_redirects=False)
            assert answer.status_code not in (421, 502, 503), (method, path, answer.text)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_down_takes_its_own_routes_with_it(apart, app, service):
    apart.servers[service].kill()
    try:
        with requests.Session() as client:
            for method, path, owner in requests_of(app):
                answer = client.request(method, apart.url + path, timeout=60, allow_redirects=False)
                if owner == service:
                    assert (answer.status_code, answer.json()["code"]) == (503, "gateway.unavailable"), (method, path)
                    assert answer.headers["Content-Type"] == "application/problem+json"
                    assert answer.headers["Retry-After"]
                    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
                else:
                    assert answer.status_code not in (421, 502, 503), (method, path, answer.text, apart.gateway.log())
    finally:
        apart.servers[service].start()
        apart.wait()


def test_an_encoded_slash_comes_to_the_service_as_it_was_sent(apart):
    """NGINX reads `%2e%2e%2f` as a step up and the service does not: no path leads to another service's routes."""
    for path in ("/api/v1/tasks/%2e%2e%2fusers/me", "/api/v1/projects/%2e%2e/users/me", "/api/v1//users/me"):
        with requests.Session() as client:
            prepared = requests.Request("GET", apart.url).prepare()
            prepared.url = apart.url + path
            answer = client.send(prepared, timeout=60)
        assert answer.status_code in (401, 404, 421), path
        assert answer.headers["Content-Type"] == "application/problem+json"
