"""A client of Task Manager that works offline: a copy in SQLite, a queue of changes, sync, and conflicts.

It is the reference for docs/sync.md, and needs the standard library and `requests`. Each function does what a client in
another language has to do too. Try it:

    python offline_client.py http://127.0.0.1:8000 store.sqlite me@example.com

The copy has every object in the form of the API. Changes are applied to the copy at once and kept in a queue; `push`
sends them in their order, `pull` brings the copy up to date. A queue survives a crash at any moment: a change is only
removed after the service has accepted or refused it, and sent again with the same key it has no second effect.
"""

import json
import sqlite3
import sys
import uuid
from collections.abc import Iterable
from getpass import getpass
from typing import Any

import requests

Item = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    type TEXT, id TEXT, project_id TEXT, task_id TEXT, item TEXT, PRIMARY KEY (type, id)
);
CREATE INDEX IF NOT EXISTS items_project ON items (project_id);
CREATE INDEX IF NOT EXISTS items_task ON items (task_id);
CREATE TABLE IF NOT EXISTS queue (
    number INTEGER PRIMARY KEY AUTOINCREMENT, mutation_id TEXT UNIQUE, method TEXT, path TEXT, body TEXT,
    type TEXT, id TEXT, revision INTEGER, base TEXT
);
CREATE TABLE IF NOT EXISTS conflicts (mutation_id TEXT PRIMARY KEY, change TEXT, problem TEXT, theirs TEXT);
CREATE TABLE IF NOT EXISTS ids (temporary TEXT PRIMARY KEY, id TEXT);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT);
"""
TIMEOUT_SECONDS = 40.0
MAX_WRITES = 50  # sent together
MAX_BYTES = 500_000  # of them; the service takes a body of 1,000,000
REFUSED = (400, 403, 413, 422)  # a request as a whole
QUEUE = ("mutation_id", "method", "path", "body", "type", "id", "revision", "base")
OF_TASKS = ("comments", "reminders")  # go with the tombstone of their task


class Offline(Exception):
    """The service cannot be reached, or is overloaded: try again later."""


class OfflineClient:
    """A copy of what one account sees, and its changes that were not sent yet."""

    def __init__(self, url: str, path: str, token: str, session: Any = None) -> None:
        """Take the URL of the service, the path of the copy, and an access token or an API token."""
        self.url, self.token, self.http = url.rstrip("/"), token, session or requests.Session()
        self.store = sqlite3.connect(path, isolation_level=None)
        self.store.executescript(SCHEMA)

    # reading the copy

    def items(self, kind: str) -> list[Item]:
        """Return the objects of a type: as the service has them, with the changes in the queue on top."""
        rows = self.store.execute("SELECT item FROM items WHERE type = ? ORDER BY id", (kind,))
        found = {self._key(kind, item): item for item in (json.loads(row[0]) for row in rows)}
        for change in self._queued():
            if change["type"] == kind:
                self._overlay(found, change)
        return list(found.values())

    def item(self, kind: str, item_id: str) -> Item | None:
        """Return one object; None when the copy has none."""
        item_id = self._real(item_id)
        return next((item for item in self.items(kind) if self._key(kind, item) == item_id), None)

    def conflicts(self) -> list[Item]:
        """Return the changes that the service refused: {mutation_id, change, problem, theirs}. The user decides."""
        rows = self.store.execute("SELECT mutation_id, change, problem, theirs FROM conflicts")
        return [
            {
                "mutation_id": row[0],
                "change": json.loads(row[1]),
                "problem": json.loads(row[2]),
                "theirs": _load(row[3]),
            }
            for row in rows
        ]

    def _overlay(self, found: dict[str, Item], change: Item) -> None:
        item_id = self._real(change["id"])
        if change["method"] == "DELETE":
            found.pop(item_id, None)
        elif change["method"] == "PATCH" and item_id in found:
            found[item_id] = _merged(found[item_id], change["body"])
        elif change["method"] == "POST":
            found[item_id] = found.get(item_id, {"id": item_id, "revision": 0} | change["body"])

    # changing it, online or offline

    def create_task(self, project_id: str, **fields: Any) -> str:
        """Create a task; return its temporary id, which stands for its id in later changes."""
        return self._create("tasks", f"/projects/{project_id}/tasks", fields)

    def create_comment(self, task_id: str, text: str) -> str:
        """Comment on a task, which may have a temporary id."""
        return self._create("comments", f"/tasks/{task_id}/comments", {"text": text})

    def change(self, kind: str, item_id: str, **fields: Any) -> None:
        """Change fields of a task or comment, based on the revision in the copy."""
        self._enqueue("PATCH", kind, item_id, fields)

    def delete(self, kind: str, item_id: str) -> None:
        """Delete a task or comment."""
        self._enqueue("DELETE", kind, item_id, None)

    def _create(self, kind: str, path: str, body: Item) -> str:
        temporary = f"new-{uuid.uuid4()}"
        self._put("POST", path, body, kind, temporary, None)
        return temporary

    def _enqueue(self, method: str, kind: str, item_id: str, body: Item | None) -> None:
        item = self.item(kind, item_id)
        if item is None:
            raise KeyError(item_id)
        base = None if body is None else {name: item.get(name) for name in body}
        self._put(method, self._path(kind, item, item_id), body, kind, item_id, item["revision"], base)

    def _path(self, kind: str, item: Item, item_id: str) -> str:
        return f"/tasks/{item['task_id']}/comments/{item_id}" if kind == "comments" else f"/tasks/{item_id}"

    def _put(
        self,
        method: str,
        path: str,
        body: Item | None,
        kind: str,
        item_id: str,
        revision: int | None,
        base: Item | None = None,
    ) -> None:
        values = (uuid.uuid4().hex, method, path, json.dumps(body), kind, item_id, revision, json.dumps(base))
        self.store.execute(f"INSERT INTO queue ({', '.join(QUEUE)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608

    # sending the queue

    def sync(self) -> None:
        """Send the queue, then bring the copy up to date. Raises Offline; call it again later."""
        try:
            self.push()
        finally:  # also when the service could not carry out a change
            self.pull()

    def push(self) -> None:
        """Send the changes in their order. Raises Offline with the rest still in the queue."""
        most = MAX_WRITES
        while changes := self._next(most):
            body = {"mode": "independent", "writes": [self._write(change) for change in changes]}
            response = self._request("POST", "/sync/writes", body=body)
            if response.status_code in REFUSED:  # together they are too large, or one of them is malformed
                if len(changes) == 1:
                    self._finish(changes[0], {"status": response.status_code, "problem": response.json()})
                most = max(1, len(changes) // 2)
                continue
            if response.status_code != 200:
                raise Offline(str(response.status_code))
            results = zip(changes, response.json()["results"], strict=True)
            kept = [result["status"] for change, result in results if not self._finish(change, result)]
            if kept:
                raise Offline(str(kept[0]))

    def _next(self, most: int) -> list[Item]:
        """Return the next changes of the queue: at least one, and as many as fit into a request."""
        found, size = [], 0
        for change in self._queued()[:most]:
            size += len(json.dumps(self._write(change)))
            if found and size > MAX_BYTES:
                break
            found.append(change)
        return found

    def _write(self, change: Item) -> Item:
        """Return a change as the service takes it. Sent twice, it is carried out once, by its mutation id."""
        write = {"mutation_id": change["mutation_id"], "method": change["method"]}
        write["path"] = "/".join(self._reference(part) for part in change["path"].split("/"))
        if change["body"] is not None:
            write["body"] = change["body"]
        if change["method"] == "POST":
            return write | {"temp_id": change["id"]}
        if change["base"] is not None:
            write["base"] = change["base"]  # merged with changes of other fields
        return write | {"if_revision": self._base(change)}

    def _reference(self, part: str) -> str:
        """Return a part of a path: a temporary id that has no real one yet names an earlier write."""
        real = self._real(part)
        return f"temp:{real}" if real.startswith("new-") else real

    def _base(self, change: Item) -> int:
        """Return the revision that a change is based on: one that an own change has made counts as seen."""
        own = self.store.execute("SELECT value FROM state WHERE name = ?", (f"own:{self._real(change['id'])}",))
        row = own.fetchone()
        return max(change["revision"], int(row[0]) if row else 0)

    def _finish(self, change: Item, result: Item) -> bool:
        """Note what the service said to a change, and remove it from the queue, in one transaction.

        Return False when that is no answer to the change, which stays in the queue.
        """
        if result["status"] in (401, 408, 429) or result["status"] >= 500 or _code(result) == "idempotency.in_progress":
            return False
        with self._transaction():
            if result["status"] < 300:
                self._accept(change, result)
            elif not self._is_done(change, result):
                self._report(change, result)
            self.store.execute("DELETE FROM queue WHERE mutation_id = ?", (change["mutation_id"],))
        return True

    def _accept(self, change: Item, result: Item) -> None:
        if change["method"] == "DELETE":
            self._remove({"type": change["type"], "id": self._real(change["id"])})
            return
        item = result["body"]
        if change["method"] == "POST":
            self.store.execute("INSERT OR REPLACE INTO ids VALUES (?, ?)", (change["id"], item["id"]))
        if not result.get("merged"):  # else the copy lacks the change of the other user until the next sync
            self._set(f"own:{item['id']}", item["revision"])
        if not result.get("replayed"):  # that is what was: sync has brought what is, or will
            self._keep(change["type"], item)

    def _is_done(self, change: Item, result: Item) -> bool:
        """Return whether a refused change has been made: the service has lost the response, or the item is gone."""
        if change["method"] == "DELETE":
            return bool(result["status"] == 404)
        return _code(result) == "idempotency.answer_lost"

    def _report(self, change: Item, result: Item) -> None:
        """Keep a refused change, with what the service has now, for the user: no edit is lost silently."""
        values = (
            change["mutation_id"],
            *(json.dumps(one) for one in (change, result["problem"], result.get("theirs"))),
        )
        self.store.execute("INSERT OR REPLACE INTO conflicts VALUES (?, ?, ?, ?)", values)

    def _queued(self) -> list[Item]:
        rows = self.store.execute(f"SELECT {', '.join(QUEUE)} FROM queue ORDER BY number").fetchall()  # noqa: S608 names
        found = [dict(zip(QUEUE, row, strict=True)) for row in rows]
        return [change | {name: _load(change[name]) for name in ("body", "base")} for change in found]

    def _real(self, item_id: str) -> str:
        row = self.store.execute("SELECT id FROM ids WHERE temporary = ?", (item_id,)).fetchone()
        return str(row[0]) if row else item_id

    # bringing the copy up to date

    def pull(self, wait: int = 0) -> None:
        """Read all pages of changes; without a token the whole. Raises Offline; what was read is kept."""
        while self.pull_page(wait):
            wait = 0

    def pull_page(self, wait: int = 0) -> bool:
        """Read one page and apply it; return whether there are more."""
        token = self._get("token")
        response = self._request("GET", "/sync", query={"wait": wait} | ({"token": token} if token else {}))
        if response.status_code == 410:  # away for longer than the log is kept: begin anew
            with self._transaction():
                self.store.execute("DELETE FROM items")
                self.store.execute("DELETE FROM state WHERE name = 'token'")
            return True
        if response.status_code != 200:
            raise Offline(str(response.status_code))
        self._apply(response.json())
        return bool(response.json()["has_more"])

    def _apply(self, page: Item) -> None:
        """Apply a page with its token in one transaction, so that a crash leaves the copy before or after it."""
        with self._transaction():
            for tombstone in page["tombstones"]:
                self._remove(tombstone)
            for kind, items in page["objects"].items():
                for item in items:
                    self._keep(kind, item)
            if not page["has_more"]:
                self._remove_orphans()
            self._set("token", page["next_token"])

    def _keep(self, kind: str, item: Item) -> None:
        values = (kind, self._key(kind, item), item.get("project_id"), item.get("task_id"), json.dumps(item))
        self.store.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)", values)

    def _remove(self, tombstone: Item) -> None:
        """Remove what a tombstone stands for: with a project all that is in it, with a task what belongs to it."""
        kind, item_id = tombstone["type"], tombstone["id"]
        key = f"{tombstone['project_id']}:{item_id}" if kind == "members" else item_id
        self.store.execute("DELETE FROM items WHERE type = ? AND id = ?", (kind, key))
        if kind == "projects":
            tasks = self.store.execute("SELECT id FROM items WHERE type = 'tasks' AND project_id = ?", (item_id,))
            self._remove_of_tasks([row[0] for row in tasks.fetchall()])
            self.store.execute("DELETE FROM items WHERE project_id = ?", (item_id,))
        if kind == "tasks":
            self._remove_of_tasks([item_id])

    def _remove_of_tasks(self, task_ids: Iterable[str]) -> None:
        """Remove comments and reminders; notifications about a task stay."""
        for task_id in task_ids:
            for kind in OF_TASKS:
                self.store.execute("DELETE FROM items WHERE task_id = ? AND type = ?", (task_id, kind))

    def _remove_orphans(self) -> None:
        """Remove comments and reminders without their task: once all pages were read, it is not visible any more."""
        tasks = "SELECT id FROM items WHERE type = 'tasks'"
        self.store.execute(f"DELETE FROM items WHERE type IN (?, ?) AND task_id NOT IN ({tasks})", OF_TASKS)  # noqa: S608

    def _key(self, kind: str, item: Item) -> str:
        if kind == "members":
            return f"{item['project_id']}:{item['user_id']}"
        return item["project_id"] or "" if kind in ("statuses", "preferences") else str(item["id"])

    # the rest

    def _request(self, method: str, path: str, body: Any = None, query: Item | None = None) -> Any:
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        try:
            return self.http.request(
                method, f"{self.url}/api/v1{path}", headers=given, data=data, params=query, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise Offline(type(error).__name__) from error

    def _get(self, name: str) -> str | None:
        row = self.store.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return row and str(row[0])

    def _set(self, name: str, value: Any) -> None:
        self.store.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, str(value)))

    def _transaction(self) -> "_Transaction":
        return _Transaction(self.store)


class _Transaction:
    def __init__(self, store: sqlite3.Connection) -> None:
        self.store = store

    def __enter__(self) -> None:
        self.store.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.store.execute("ROLLBACK" if kind else "COMMIT")


def _merged(item: Item, changes: Item) -> Item:
    """Return an item after a JSON Merge Patch (RFC 7396), of one level."""
    return item | changes


def _code(result: Item) -> str | None:
    """Return the code of the problem in a result; None without one."""
    return (result["problem"] or {}).get("code")


def _load(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def main() -> None:
    """Log in, sync, and print what there is."""
    url, path, email = sys.argv[1:4]
    body = {"email": email, "password": getpass()}
    answer = requests.post(f"{url}/api/v1/auth/login", json=body, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    client = OfflineClient(url, path, answer.json()["access_token"])
    client.sync()
    while True:
        for task in client.items("tasks"):
            sys.stdout.write(f"{task.get('key', '…')} {task['title']}\n")
        client.pull(wait=30)
        client.push()


if __name__ == "__main__":
    main()
