"""The first requests of a process, all at once: whatever it makes at its first use, it makes once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import requests

from tests.web_server import WebServer

AT_ONCE = 8


class UntouchedServer(WebServer):
    """A server that has read nothing from the database and the stores when the test begins."""

    _health = "/health/live"


def test_the_first_requests_of_a_process_may_come_together(app, settings, scene, tmp_path):
    paths = [scene.task_path, scene.tasks_path, scene.members_path, "/api/v1/users/me"]
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}
    server = UntouchedServer(settings, tmp_path / "log", web_processes=1, web_threads=AT_ONCE)
    server.start()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            urls = [server.url + paths[number % len(paths)] for number in range(AT_ONCE * 4)]
            answers = list(pool.map(lambda url: requests.get(url, headers=headers, timeout=60), urls))
        assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    finally:
        server.stop()


def test_the_first_readers_of_the_document_may_come_together(other_app):
    """It is made at the first request: of the description of the routes, which changes meanwhile."""
    app, gate = other_app(), Barrier(AT_ONCE)
    paths = ["/api/v1/openapi.json", "/docs/openapi-3.0.json", "/docs/errors/not_found", "/api/v1/openapi.json"]

    def read(number):
        gate.wait()
        answer = app.test_client().get(paths[number % len(paths)])
        return paths[number % len(paths)], answer.status_code, answer.data

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(read, range(AT_ONCE)))
    assert {status for _, status, _ in answers} == {200}
    assert len({(path, data) for path, _, data in answers}) == 3


def test_the_document_below_several_paths_may_be_read_at_once(other_app):
    """A process keeps a few of them: none is dropped while it is being answered."""
    app = other_app(proxy_count=1)

    def read(number):
        below = f"/below-{number % 6}"
        path = ("/api/v1/openapi.json", "/docs/openapi-3.0.json")[number // 6 % 2]
        answer = app.test_client().get(path, headers={"X-Forwarded-Prefix": below})
        return answer.status_code, answer.json["servers"][0]["url"] == below

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(read, range(12))) == {(200, True)}
