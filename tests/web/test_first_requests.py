"""The first requests of a process, all at once: whatever it makes at its first use, it makes once."""

from concurrent.futures import ThreadPoolExecutor

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
