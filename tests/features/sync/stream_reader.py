"""A copy that is kept up to date by the live stream, and the comparison of copies with a fresh one."""

import contextlib
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import requests

from tests.features.sync.campaign import offline_client

SILENT_SECONDS = 20  # the stream sends something every 15
_PAUSE_SECONDS = 0.3

Items = set[tuple[str, str, str]]


class StreamReader(threading.Thread):
    """Follows the stream of an account until `end`: whatever is killed, it continues from the token of its copy."""

    def __init__(self, url: str, stream_url: str, path: Path, token: str) -> None:
        super().__init__(name=path.name, daemon=True)
        self.url, self.stream_url, self.path, self.token = url, stream_url, path, token
        self.messages = self.connections = 0
        self._ended = threading.Event()

    def run(self) -> None:
        client = offline_client.OfflineClient(self.url, str(self.path), self.token)
        while not self._ended.wait(_PAUSE_SECONDS):
            with contextlib.suppress(requests.RequestException, offline_client.Offline):
                self._follow(client)

    def _follow(self, client: Any) -> None:
        token = client._get("token")
        if token is None:
            client.pull()
            return
        headers = {"Authorization": f"Bearer {self.token}"}
        query = {"token": token}
        with requests.get(
            self.stream_url, params=query, headers=headers, stream=True, timeout=SILENT_SECONDS
        ) as response:
            if response.status_code != 200:
                return
            self.connections += 1
            for line in response.iter_lines(decode_unicode=True):
                if self._ended.is_set():
                    return
                if line.startswith("data: ") and "objects" in (page := json.loads(line[6:])):
                    self.messages += 1
                    client._apply(page)

    def items(self) -> Items:
        """Return what the copy has now."""
        with contextlib.closing(sqlite3.connect(self.path)) as store:
            return set(store.execute("SELECT type, id, item FROM items").fetchall())

    def end(self) -> None:
        """Let the thread end, with its next message."""
        self._ended.set()


def fresh_items(url: str, path: Path, token: str) -> Items:
    """Return what a full sync has."""
    client = offline_client.OfflineClient(url, str(path), token)
    client.pull()
    return items_of(client)


def items_of(client: Any) -> Items:
    """Return what the copy of a client has."""
    return set(client.store.execute("SELECT type, id, item FROM items").fetchall())
