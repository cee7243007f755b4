"""Clients that work offline for random spells, while rights are given and taken: at the end each copy is right.

`python -m tests.features.sync.campaign URL [STEPS]` runs it against a service without rate limits, whose operator has
set TASKMANAGER_DIRECT_MEMBERSHIP; the suite runs a short one in its own process.
"""

import importlib.util
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

_PATH = Path(__file__).parents[3] / "docs" / "examples" / "offline_client.py"
_spec = importlib.util.spec_from_file_location("offline_client", _PATH)
assert _spec and _spec.loader
offline_client: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(offline_client)

PATIENCE = 120.0  # seconds that an outage may last
PASSWORD = "correct horse battery staple"
ANY = {"If-Match": "*"}
Connect = Callable[[], Any]


class Person:
    """An account, as it uses the API directly."""

    def __init__(self, url: str, session: Any, name: str) -> None:
        self.url, self.session, self.longest_outage = url, session, 0.0
        email = f"{name}-{uuid.uuid4().hex[:8]}@example.com"
        body = {"email": email, "password": PASSWORD, "name": name}
        self.id = self.call("POST", "/auth/register", body).json()["id"]
        self.token = self.call("POST", "/auth/login", body_of(email)).json()["access_token"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"} | (ANY if method != "POST" else {})
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        began = time.monotonic()
        while True:  # a process may have been killed
            try:
                response = self.session.request(
                    method, f"{self.url}/api/v1{path}", headers=headers, json=body, timeout=60
                )
                if response.status_code != 503:
                    return response
            except requests.RequestException:
                pass
            self.longest_outage = max(self.longest_outage, time.monotonic() - began)
            assert self.longest_outage < PATIENCE, f"no answer for {PATIENCE:.0f} s: {method} {path}"
            time.sleep(0.2)  # until what was killed is back


def body_of(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD}


class RecordingClient(offline_client.OfflineClient):  # type: ignore[misc]
    """The reference client, which notes the changes that were made on it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.made: dict[str, str] = {}  # mutation ids with their methods

    def _put(self, *given: Any) -> None:
        super()._put(*given)
        newest = "SELECT mutation_id, method FROM queue ORDER BY number DESC LIMIT 1"
        self.made |= dict(self.store.execute(newest).fetchall())


class Campaign:
    """Three accounts, some clients of each, and one who gives and takes rights."""

    def __init__(self, url: str, connect: Connect, folder: Path, *, seed: int, clients: int) -> None:
        self.url, self.connect, self.folder, self.random = url, connect, folder, random.Random(seed)
        self.people = [Person(url, connect(), name) for name in ("ada", "grace", "alan")]
        self.owner = self.people[0]
        self.projects = [self._project(f"K{uuid.uuid4().hex[:6].upper()}") for _ in range(2)]
        for person in self.people[1:]:
            self._invite(self.projects[0], person)
        self.clients = [self._client(self.people[number % 3], f"client{number}") for number in range(clients)]
        self.offline: dict[int, int] = {}
        self.step = self.syncs = self.failed = 0

    @property
    def longest_outage(self) -> float:
        """Return for how many seconds a request of the people has been tried in vain, at the most."""
        return max(person.longest_outage for person in self.people)

    def _project(self, key: str) -> str:
        return str(self.owner.call("POST", "/projects", {"key": key, "name": key}).json()["id"])

    def _invite(self, project_id: str, person: Person) -> None:
        self.owner.call("POST", f"/projects/{project_id}/members", {"user_id": person.id, "role": "member"})

    def _client(self, person: Person, name: str) -> Any:
        client = RecordingClient(self.url, str(self.folder / name), person.token, self.connect())
        client.person = person
        return client

    def run(self, steps: int) -> None:
        for step in range(steps):
            self.step = step + 1
            self.random.choice((self._edit, self._edit, self._edit, self._sync, self._manage))(step)

    def _edit(self, step: int) -> None:
        client = self.random.choice(self.clients)
        tasks, dice = client.items("tasks"), self.random.random()
        projects = client.items("projects")
        if (dice < 0.4 or not tasks) and projects:
            client.create_task(self.random.choice(projects)["id"], title=f"Task {step}")
        elif tasks:
            self._edit_task(client, self.random.choice(tasks), dice, step)

    def _edit_task(self, client: Any, task: dict[str, Any], dice: float, step: int) -> None:
        if dice < 0.6:
            field = self.random.choice(("title", "description", "priority"))
            value = {"priority": self.random.choice(("low", "high"))}.get(field, f"{field} {step}")
            client.change("tasks", task["id"], **{field: value})
        elif dice < 0.8:
            client.create_comment(task["id"], f"Comment {step}")
        elif dice < 0.9:
            client.delete("tasks", task["id"])
        elif comments := [one for one in client.items("comments") if one.get("task_id")]:
            client.change("comments", self.random.choice(comments)["id"], text=f"Text {step}")

    def _sync(self, step: int) -> None:
        """Let one client sync, unless it is offline for some more steps."""
        number = self.random.randrange(len(self.clients))
        if self.offline.get(number, 0) > step:
            return
        if self.random.random() < 0.2:
            self.offline[number] = step + self.random.randrange(20, 80)
            return
        try:
            self.sync(self.clients[number])
        except offline_client.Offline:
            self.failed += 1

    def sync(self, client: Any) -> None:
        self.syncs += 1
        client.push()
        for _ in range(self.random.randrange(1, 4)):  # perhaps not all pages: the process ends in between
            if not client.pull_page():
                break

    def _manage(self, step: int) -> None:
        project_id, person = self.random.choice(self.projects), self.random.choice(self.people[1:])
        path = f"/projects/{project_id}"
        dice = self.random.random()
        if dice < 0.25:
            self._invite(project_id, person)
        elif dice < 0.45:
            self.owner.call("DELETE", f"{path}/members/{person.id}")
        elif dice < 0.5:
            self.owner.call("DELETE", path)
            self.owner.call("POST", f"{path}/restore")
        elif dice < 0.6:
            self.owner.call("POST", f"{path}/labels", {"name": f"label {step}"})
        else:
            self._manage_task(dice)

    def _manage_task(self, dice: float) -> None:
        found = self.owner.call("GET", "/trash" if dice < 0.75 else "/tasks").json().get("items", [])
        if not found:
            return
        task_id = self.random.choice(found)["id"]
        if dice < 0.75:
            self.owner.call("POST", f"/tasks/{task_id}/restore")
        elif dice < 0.9:
            self.owner.call("POST", f"/tasks/{task_id}/move", {"project_id": self.random.choice(self.projects)})
        else:
            reminder = {"at": "2099-01-01T00:00:00Z"}
            self.owner.call("POST", f"/tasks/{task_id}/reminders", reminder)

    def finish(self) -> list[str]:
        """Bring every client up to date; return what is wrong with the copies, none when all is right."""
        for client in self.clients:
            _patiently(client.push)
        wrong = []
        for number, client in enumerate(self.clients):
            _patiently(client.pull)
            fresh = self._client(client.person, f"fresh{number}")
            _patiently(fresh.pull)
            mine, theirs = (
                set(one.store.execute("SELECT type, id, item FROM items").fetchall()) for one in (client, fresh)
            )
            wrong += [f"client {number} has {one}" for one in sorted(mine - theirs)]
            wrong += [f"client {number} lacks {one}" for one in sorted(theirs - mine)]
            wrong += [f"client {number} still has {one}" for one in client._queued()]
        return wrong


def _patiently(send: Callable[[], None]) -> None:
    """Send until it is done: after a kill the service may take some time to finish what was begun."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return send()
        except offline_client.Offline:
            assert time.monotonic() < until, f"no answer for {PATIENCE:.0f} s: {send.__name__}"
            time.sleep(0.5)  # until what was killed is back


def main() -> None:
    url, steps = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**6)
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(url, requests.Session, Path(folder), seed=seed, clients=5)
        campaign.run(steps)
        wrong = campaign.finish()
        conflicts = sum(len(client.conflicts()) for client in campaign.clients)
        copied = sum(len(client.items("tasks")) for client in campaign.clients)
    print(
        f"seed {seed}: {steps} steps, {campaign.syncs} syncs, {copied} tasks in copies, {conflicts} conflicts reported"
    )
    print("\n".join(wrong) or "every copy equals a fresh one")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
