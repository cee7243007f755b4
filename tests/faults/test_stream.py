"""The process of the stream: changes as they happen, by the rights of the moment, without loss."""

import json
import threading
import time

import pytest
import requests

from taskmanager.testing.fixtures import PATIENCE
from tests.faults.conftest import running
from tests.faults.stack import eventually

PASSWORD = "correct horse battery staple"
ANY = {"If-Match": "*"}


class Person:
    def __init__(self, url, name):
        self.url, self.session = f"{url}/api/v1", requests.Session()
        self.id = self.call("POST", "/auth/register", self.login(name) | {"name": name}).json()["id"]
        token = self.call("POST", "/auth/login", self.login(name)).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def login(self, name):
        return {"email": f"{name}@example.com", "password": PASSWORD}

    def call(self, method, path, body=None, **headers):
        return self.session.request(method, self.url + path, json=body, headers=headers, timeout=60)


class Listening:
    """One stream, read by a thread."""

    def __init__(self, url, **request):
        self.messages, self.status, self.last = [], None, None
        self._response = requests.get(url, stream=True, timeout=60, **request)
        self.status = self._response.status_code
        if self.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        fields = {}
        try:
            for line in self._response.iter_lines(decode_unicode=True):
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif "data" in fields:
                    self.last = fields.get("id", self.last)
                    self.messages.append((fields["event"], json.loads(fields["data"])))
                    fields = {}
        except (requests.RequestException, AttributeError, ValueError):  # closed by the test, or its server was killed
            pass

    def titles(self):
        return [one["title"] for _, data in self.messages for one in data.get("objects", {}).get("tasks", ())]

    def close(self):
        self._response.close()


@pytest.fixture
def service(tmp_path, settings):
    with running(tmp_path, settings, direct_membership=True, **PATIENCE) as stack:
        stack.start("web", "relay", "stream")
        for address in (f"{stack.url}/health/ready", live(stack)):
            stack.wait(lambda address=address: answers(address), address)
        yield stack


def live(stack):
    return f"http://127.0.0.1:{stack.settings.stream_port}/health/live"


def answers(address):
    try:
        return requests.get(address, timeout=5).status_code == 200
    except requests.RequestException:
        return False


@pytest.mark.timeout(300)
def test_the_stream_of_a_board(service):
    owner, member = Person(service.url, "owner"), Person(service.url, "member")
    project = owner.call("POST", "/projects", {"key": "APP", "name": "App"}).json()["id"]
    ticket = owner.call("POST", "/stream/tickets").json()
    mine = Listening(ticket["url"], params={"ticket": ticket["ticket"]})
    assert (mine.status, Listening(ticket["url"], params={"ticket": ticket["ticket"]}).status) == (200, 401)
    theirs = Listening(f"{service.url}/api/v1/stream", headers=dict(member.session.headers))  # redirected by the API
    assert theirs.status in (200, 401)  # requests sends no Authorization to another port
    theirs = Listening(ticket["url"], headers={"Authorization": member.session.headers["Authorization"]})

    def add(title):
        return owner.call("POST", f"/projects/{project}/tasks", {"title": title}).json()["id"]

    add("one")
    eventually(lambda: mine.titles() == ["one"], "the first change")
    assert theirs.messages == []
    owner.call("POST", f"/projects/{project}/members", {"user_id": member.id, "role": "viewer"})
    eventually(lambda: theirs.titles() == ["one"], "the content of the project that was gained")
    owner.call("DELETE", f"/projects/{project}/members/{member.id}", **ANY)
    eventually(lambda: theirs.messages[-1][1].get("tombstones"), "the tombstone")
    add("secret")
    eventually(lambda: mine.titles() == ["one", "secret"], "the second change")

    last = mine.last
    mine.close()
    service.kill("stream")
    service.kill("relay")
    add("while away")
    service.start("relay", "stream")
    service.wait(lambda: answers(live(service)), "the stream")
    again = Listening(
        ticket["url"], headers={"Authorization": owner.session.headers["Authorization"], "Last-Event-ID": last}
    )
    eventually(lambda: again.titles() == ["while away"], "what came meanwhile, once")
    time.sleep(1)
    assert again.titles() == ["while away"] and "secret" not in theirs.titles()
