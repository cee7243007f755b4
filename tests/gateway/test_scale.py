"""Two web processes behind the gateway: limits are exact over both, a key has one effect, and a request costs the same.

`make scale-test` prints what requests cost with one process and with two, and how many there are a second.
"""

import os
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from taskmanager.features.tasks.models import Task
from tests.faults.web_client import WebClient
from tests.gateway.nginx import Gateway
from tests.web_server import WebServer

SECONDS = int(os.environ.get("SCALE_SECONDS", "0"))
ROUNDS = 6
LIMIT = 40


@pytest.fixture(scope="module")
def two(app, settings, tmp_path_factory):
    """Two instances of one process each, with limits, and a gateway before each number of them."""
    folder = tmp_path_factory.mktemp("scale")
    changes = {"proxy_count": 1, "web_processes": 1, "ratelimit_enabled": True, "ratelimit_default": f"{LIMIT}/hour"}
    if SECONDS:
        changes |= {"ratelimit_default": "1000000/hour"}
    servers = [WebServer(settings, folder / f"web{number}.log", **changes) for number in range(2)]
    addresses = [server.url.removeprefix("http://") for server in servers]
    gateways = [Gateway(settings, folder / f"n{size}", servers=",".join(addresses[:size])) for size in (1, 2)]
    try:
        for server in servers:
            server.start(wait=False)
        for server in servers:
            server.wait()
        for gateway in gateways:
            gateway.start()
        yield servers, gateways
    finally:
        for one in (*gateways, *servers):
            one.stop()


def at_once(number, send):
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda _: send(), range(number)))


@pytest.mark.skipif(SECONDS > 0, reason="the measurement needs other limits")
def test_a_limit_is_exact_over_both(two):
    _, gateways = two
    client = WebClient(gateways[1].url).register()
    headers = {"Authorization": f"Bearer {client._token}"}
    send = lambda: requests.get(f"{gateways[1].url}/api/v1/users/me", headers=headers, timeout=60).status_code  # noqa: E731
    assert Counter(at_once(LIMIT + 20, send)) == {200: LIMIT, 429: 20}


@pytest.mark.skipif(SECONDS > 0, reason="the measurement needs other limits")
def test_a_key_has_one_effect_over_both(two):
    servers, gateways = two
    client = WebClient(gateways[1].url).register()
    project = client.send("POST", "/api/v1/projects", {"key": "ONE", "name": "One"}).body["id"]
    headers = {"Authorization": f"Bearer {client._token}", "Idempotency-Key": secrets.token_hex(16)}
    url = f"{gateways[1].url}/api/v1/projects/{project}/tasks"
    send = lambda: requests.post(url, json={"title": "Once"}, headers=headers, timeout=60)  # noqa: E731
    answers = at_once(12, send)
    made = [answer for answer in answers if answer.status_code == 201]
    assert made and {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in made}) == Task.objects.count() == 1
    assert all(str(server.port) in (gateways[1].folder / "access.log").read_text() for server in servers)


@pytest.mark.skipif(SECONDS == 0, reason="a measurement, not a test: `make scale-test`")
def test_what_a_request_costs(two, capsys):
    servers, gateways = two
    client = WebClient(gateways[1].url).register()
    project = client.send("POST", "/api/v1/projects", {"key": "CPU", "name": "CPU"}).body["id"]
    client.send("POST", f"/api/v1/projects/{project}/tasks", {"title": "One"})
    path, costs = f"/api/v1/projects/{project}/tasks", {}
    for size, gateway in [(1, gateways[0]), (2, gateways[1])] * ROUNDS:
        before, started = cpu(servers), time.monotonic()
        number = sum(at_once(8, lambda url=gateway.url: load(url + path, client._token, started)))  # noqa: B023
        cost, rate = (cpu(servers) - before) / number * 1e6, number / (time.monotonic() - started)
        costs.setdefault(size, []).append(cost)
        with capsys.disabled():
            print(
                f"\n{size} web: {number} requests, {rate:.0f}/s, {cost:.0f} µs of CPU in the web processes each", end=""
            )
    one, two_ = min(costs[1]), min(costs[2])  # what else the machine does makes each round dearer, and none cheaper
    with capsys.disabled():
        print(f"\nCPU of a request with two processes: {two_ / one:.2f} times that with one")
    assert two_ / one < 1.1


def load(url, token, started):
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        number = 0
        while time.monotonic() - started < SECONDS:
            assert session.get(url, timeout=60).status_code == 200
            number += 1
        return number


def cpu(servers):
    """Return the CPU seconds of all processes of these servers."""
    processes = [found for one in servers for found in psutil.Process(one._process.pid).children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)
