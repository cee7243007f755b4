"""A copy that is kept up to date by the live stream, and the comparison of copies with a fresh one."""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.features.sync.campaign import offline_client

SILENT_SECONDS = 20  # the stream sends something every 15
PAUSE_SECONDS = 0.3

Items = set[tuple[str, str, str]]


class StreamFollower(threading.Thread):
    """A thread that follows the live stream until `end`."""

    def __init__(self, name: str, stream_url: str, token: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stream_url, self.token, self.connections = stream_url, token, 0
        self._ended = threading.Event()

    def _lines(self, query: dict[str, str], headers: dict[str, str] | None = None) -> Iterator[str]:
        """Yield the lines of one connection; none when it is refused."""
        headers = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        with requests.get(
            self.stream_url, params=query, headers=headers, stream=True, timeout=SILENT_SECONDS
        ) as response:
            if response.status_code != 200:
                return
            self.connections += 1
            for line in response.iter_lines(decode_unicode=True):
                if self._ended.is_set():
                    return
                yield line

    def end(self) -> None:
        """Let the thread end, with its next message."""
        self._ended.set()


class StreamReader(StreamFollower):
    """Keeps a copy of what an account sees: whatever is killed, it continues from the token of its copy."""

    def __init__(self, url: str, stream_url: str, path: Path, token: str) -> None:
        super().__init__(path.name, stream_url, token)
        self.url, self.path, self.messages = url, path, 0

    def run(self) -> None:
        client = offline_client.OfflineClient(self.url, str(self.path), self.token)
        while not self._ended.wait(PAUSE_SECONDS):
            with contextlib.suppress(requests.RequestException, offline_client.Offline):
                self._follow(client)

    def _follow(self, client: Any) -> None:
        token = client._get("token")
        if token is None:
            client.pull()
            return
        for line in self._lines({"token": token}):
            if line.startswith("data: ") and "objects" in (page := json.loads(line[6:])):
                self.messages += 1
                client._apply(page)

    def items(self) -> Items:
        """Return what the copy has now."""
        with contextlib.closing(sqlite3.connect(self.path)) as store:
            return set(store.execute("SELECT type, id, item FROM items").fetchall())


def fresh_items(url: str, path: Path, token: str) -> Items:
    """Return what a full sync has."""
    client = offline_client.OfflineClient(url, str(path), token)
    client.pull()
    return items_of(client)


def items_of(client: Any) -> Items:
    """Return what the copy of a client has."""
    return set(client.store.execute("SELECT type, id, item FROM items").fetchall())
