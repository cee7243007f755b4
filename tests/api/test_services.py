"""A process that works for some services serves their routes, runs their jobs, and refuses the rest."""

import re

import pytest

from taskmanager.api import service_guard
from taskmanager.core import registry
from taskmanager.core.events import log, outbox, schedule
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.feature import Feature, build_registry

SERVICES = ("user", "task", "notification")
COMMON = {
    "/",
    "/.well-known/jwks.json",
    "/api/v1",
    "/api/v1/info",
    "/api/v1/openapi.json",
    "/docs",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
}


def _paths(app):
    """Yield one request for each route: method, path, service."""
    for route in service_guard.routes(app):
        for method in route.methods:
            path = re.sub(r"<objectid:\w+>", "65f1c0ffee0123456789abcd", route.rule)
            yield method, re.sub(r"<[^>]+>", "x", path), route.service


@pytest.mark.parametrize("service", SERVICES)
def test_each_route_is_served_by_its_service_alone(other_app, service):
    app = other_app(services=service)
    client = app.test_client()
    refused, served = set(), set()
    for method, path, owner in _paths(app):
        answer = client.open(path, method=method)
        if answer.status_code == 421:
            assert (answer.json["code"], answer.content_type) == ("service.elsewhere", "application/problem+json")
            refused.add(owner)
        else:
            served.add(owner)
    assert served == {service, service_guard.ANY}
    assert refused == {*SERVICES, "stream"} - {service}


def test_every_process_serves_what_belongs_to_no_service(app):
    common = {route.rule for route in service_guard.routes(app) if route.service == service_guard.ANY}
    assert common >= COMMON
    assert all(rule in COMMON or rule.startswith(("/docs/", "/ops", "/pages", "/static/")) for rule in common)


def test_health_says_the_services(other_app):
    client = other_app(services="task, notification").test_client()
    for path in ("/health/live", "/health/ready"):
        assert client.get(path).json["services"] == ["task", "notification"]


def test_the_jobs_of_an_event_are_in_the_queues_of_the_services_that_listen(scene):
    outbox.relay_batch()
    queued = {name: [job.args[0] for job in outbox.queue(name).jobs] for name in outbox.QUEUES}
    assert "notifications.tell" in queued["notification-high"]
    for name, jobs in queued.items():
        for job in jobs:
            owner = registry.owner_of(job, "listeners", "jobs")
            assert owner.service == name.partition("-")[0]


def test_a_worker_takes_urgent_jobs_of_all_its_services_first():
    assert log.queues_of(frozenset({"user", "task"})) == (
        *("user-high", "task-high"),
        *("user-default", "task-default"),
        *("user-low", "task-low"),
    )


def test_a_scheduler_runs_the_jobs_of_its_services(app, other_app):
    ran = []
    features = [
        Feature(
            f"of_{service}",
            service=service,
            periodic_jobs=(PeriodicJob(f"of_{service}", 60, lambda s=service: ran.append(s)),),
        )
        for service in (*SERVICES, "stream")
    ]
    for services, expected in (("user", ["user"]), ("notification", ["notification"]), ("task", ["task", "stream"])):
        ran.clear()
        other_app(services=services)
        with registry.using(build_registry(features)):
            schedule.run_due()
        assert ran == expected
