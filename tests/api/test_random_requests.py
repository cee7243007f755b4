"""Whatever clients make up, paths, methods, query strings and headers, adds no series to the metrics, and no memory.

RANDOM_PATHS sets how many requests are sent (300): `make random-paths` sends 10,000, and prints the figures.
"""

import os
import random
import secrets
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import Any

import pytest
import requests
from bson import ObjectId
from prometheus_client.parser import text_string_to_metric_families

from taskmanager.web.telemetry.request_metrics import _METHODS
from tests.web_server import WebServer

NUMBER = int(os.environ.get("RANDOM_PATHS", "300"))
_MAX_GROWTH_BYTES = 24_000_000  # of 10,000 requests; one kept path of 40 characters each would be far more than half
_ALL_METHODS = (*sorted(_METHODS - {"HEAD"}), "BREW")
# Templates that random values are put into; without a login each returns the same class of status.
_TEMPLATES = ("/api/v1/tasks/{}", "/api/v1/projects/{}/tasks", "/api/v1/users/{}", "/{}", "/api/v1/{}/{}", "/ops/{}")
_HEADERS = (
    "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie", "Idempotency-Key", "If-Match",
    "If-None-Match", "Origin", "Range", "Referer", "User-Agent", "X-Forwarded-For", "X-Mutation-ID", "X-Request-ID",
    "traceparent",
)  # fmt: skip

pytestmark = pytest.mark.timeout(1200)


def word() -> str:
    return secrets.token_hex(random.randint(1, 20))


class Strangers:
    """Sends requests over one connection, which is opened again when the server has closed it."""

    def __init__(self, server: WebServer) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.statuses: Counter[int] = Counter()

    def close(self) -> None:
        self._connection.close()

    def send(self, method: str, path: str, **headers: str) -> None:
        try:
            self._connection.request(method, path, headers=headers)
            response = self._connection.getresponse()
            response.read()
            self.statuses[response.status] += 1
        except (HTTPException, OSError):
            self._connection.close()
            self.statuses[0] += 1

    def send_random(self) -> None:
        """A random request: a known template with random values, or nothing that is known."""
        template = random.choice(_TEMPLATES)
        path = template.format(word(), word()) if random.random() < 0.5 else template.format(ObjectId(), word())
        query = "&".join(f"{word()}={word()}" for _ in range(random.randint(0, 3)))
        method = (
            random.choice(_ALL_METHODS) if random.random() < 0.8 else word()[:20].upper().strip("0123456789") or "X"
        )
        headers = {name: word() for name in random.sample(_HEADERS, random.randint(0, 5))}
        if "Authorization" in headers:
            headers["Authorization"] = f"Bearer {word()}"
        self.send(method, f"{path}?{query}" if query else path, **headers, **{f"X-{word()}": word()})


@pytest.fixture
def one_process(app: Any, settings: Any, tmp_path: Any) -> Any:
    server = WebServer(settings, tmp_path / "log", web_processes=1)
    server.start()
    yield server
    server.stop()


def test_what_strangers_make_up_adds_no_series_and_no_memory(one_process, caller, capsys):
    token = {"Authorization": caller(role="admin").environ_base["HTTP_AUTHORIZATION"]}

    def series() -> set[tuple[Any, ...]]:
        text = requests.get(f"{one_process.url}/metrics", headers=token, timeout=60).text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {(one.name, *sorted(one.labels.items())) for one in samples}

    strangers = Strangers(one_process)
    for template in _TEMPLATES:
        for method in _ALL_METHODS:
            for headers in ({}, {"Authorization": f"Bearer {word()}"}, {"If-Match": word(), "Accept": word()}):
                strangers.send(method, template.format(ObjectId(), word()), **headers)
    for _ in range(NUMBER // 4):  # so that what is kept up to a bound is full
        strangers.send_random()
    series()
    before, memory = series(), one_process.memory()
    for _ in range(NUMBER):
        strangers.send_random()
    strangers.close()
    after, more = series(), one_process.memory() - memory
    codes = {key for key in after if key[0] == "taskmanager_http_problems_total"}  # a code is one of the service's own
    assert after - before - codes == set()
    assert len(codes) < 40
    assert set(strangers.statuses) <= {0, *range(200, 500)}, strangers.statuses
    assert strangers.statuses[0] < NUMBER / 20, strangers.statuses
    assert more < _MAX_GROWTH_BYTES
    if NUMBER >= 1_000:
        with capsys.disabled():
            print(
                f"\n{NUMBER} requests: {len(before)} series before, {len(after)} after; {more / 1e6:+.1f} MB resident"
            )
