"""Ports of the embedded servers: chosen freely once, then kept in the data folder."""

import socket
from contextlib import suppress
from pathlib import Path

LOCALHOST = "127.0.0.1"


def is_free(port: int, host: str = LOCALHOST) -> bool:
    """Return whether a server could listen there now."""
    try:
        bind(host, port)
    except OSError:
        return False
    return True


def bind(host: str, port: int) -> int:
    """Listen for a moment and return the port. Raises OSError that says why one cannot."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])


def noted(memory: Path) -> int:
    """Return the port noted in the file `memory` while it is free, else a new one, which is noted there.

    Keeping the port lets a person's database client reconnect after a restart.
    """
    with suppress(OSError, ValueError):
        port = int(memory.read_text())
        if is_free(port):
            return port
    port = bind(LOCALHOST, 0)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(f"{port}\n")
    return port
