"""Streams and syncs of the members of a project, which are attached while things are killed."""

import contextlib
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import requests

from taskmanager.core.events import positions
from taskmanager.features.users.models import User
from taskmanager.testing.factories.things import PASSWORD
from tests.faults.stack import Stack, eventually
from tests.features.sync.campaign import offline_client
from tests.features.sync.stream_reader import PAUSE_SECONDS, StreamFollower, StreamReader, fresh_items, items_of
from tests.moments import from_now

_WAIT_SECONDS = 5
_SCOPES = ("projects:read", "members:read", "tasks:read", "comments:read", "notifications:read")


class Poller(threading.Thread):
    """Keeps a copy by `GET /sync` with `wait`, until `end`."""

    def __init__(self, url: str, path: Path, token: str) -> None:
        super().__init__(name=path.name, daemon=True)
        self.url, self.path, self.token = url, path, token
        self.copied: Any = None
        self._ended = threading.Event()

    def run(self) -> None:
        client = offline_client.OfflineClient(self.url, str(self.path), self.token)
        while not self._ended.wait(PAUSE_SECONDS):
            with contextlib.suppress(offline_client.Offline):
                client.pull(wait=_WAIT_SECONDS)
                self.copied = items_of(client)

    def end(self) -> None:
        self._ended.set()


class TaskReader(StreamFollower):
    """Follows the tasks of a project by `Last-Event-ID`; notes positions that do not rise.

    A task comes once for each change, or once for changes that are read together, so it may come more than once.
    """

    def __init__(self, stream_url: str, project_id: Any, token: str) -> None:
        super().__init__("tasks", stream_url, token)
        self.project_id, self.last, self.came = project_id, positions.head(), Counter[str]()
        self.repeated: list[int] = []

    def run(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            with contextlib.suppress(requests.RequestException):
                self._follow()

    def _follow(self) -> None:
        query = {"types": "tasks", "project_id": str(self.project_id)}
        fields: dict[str, str] = {}
        for line in self._lines(query, {"Last-Event-ID": str(self.last)}):
            name, _, value = line.partition(": ")
            fields[name] = value
            if not line:
                self._note(fields)
                fields = {}

    def _note(self, fields: dict[str, str]) -> None:
        if fields.get("event") == "changes":
            self.came.update(task["id"] for task in json.loads(fields["data"])["objects"].get("tasks", ()))
            position = int(fields["id"])
            self.repeated += [position] if position <= self.last else []
            self.last = position


class Followers:
    """For each of some people a stream with a copy, a sync that waits, and a stream of the project without a copy."""

    def __init__(self, stack: Stack, people: list[User], project_id: Any, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        stream_url = f"http://127.0.0.1:{stack.settings.stream_port}/api/v1/stream"
        self.tokens = [_token(stack, person) for person in people]
        self.streams = [
            StreamReader(stack.url, stream_url, folder / f"stream-{number}", token)
            for number, token in enumerate(self.tokens)
        ]
        self.pollers = [Poller(stack.url, folder / f"sync-{number}", token) for number, token in enumerate(self.tokens)]
        self.tasks = [TaskReader(stream_url, project_id, token) for token in self.tokens]
        for thread in (*self.streams, *self.pollers, *self.tasks):
            thread.start()

    def attached(self) -> bool:
        """Return whether all have begun."""
        return all(one.connections for one in (*self.streams, *self.tasks)) and all(one.copied for one in self.pollers)

    def end(self, made: int) -> str:
        """Compare each copy with a fresh one, and what came with the `made` tasks; return a summary."""
        for number, token in enumerate(self.tokens):
            fresh = fresh_items(self.stack.url, self.folder / f"fresh-{number}", token)
            stream, poller, tasks = self.streams[number], self.pollers[number], self.tasks[number]
            eventually(lambda stream=stream, fresh=fresh: stream.items() == fresh, "the copy of a stream")  # type: ignore[misc]
            eventually(lambda poller=poller, fresh=fresh: poller.copied == fresh, "the copy of a sync")  # type: ignore[misc]
            eventually(lambda tasks=tasks: len(tasks.came) >= made, "each task on a stream")  # type: ignore[misc]
        for thread in (*self.streams, *self.pollers, *self.tasks):
            thread.end()
        came = [(len(one.came), one.repeated) for one in self.tasks]
        assert came == [(made, [])] * len(self.tasks), came
        connections = [one.connections for one in (*self.streams, *self.tasks)]
        return f"streams and syncs of {len(self.tokens)} members: 0 lost, 0 twice over {connections} connections"


def _token(stack: Stack, person: User) -> str:
    """Return an API token, which outlasts the run."""
    login = {"email": person.email, "password": PASSWORD}
    found = requests.post(f"{stack.url}/api/v1/auth/login", json=login, timeout=30).json()
    headers = {"Authorization": f"Bearer {found['access_token']}"}
    body = {"name": "Follower", "scopes": _SCOPES, "expires_at": from_now(days=2)}
    made = requests.post(f"{stack.url}/api/v1/users/me/tokens", json=body, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    return str(made.json()["token"])
