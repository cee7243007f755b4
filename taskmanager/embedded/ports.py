"""Ports of the embedded servers: a free port is chosen once, and stored in the data folder."""

import os
import random
import socket
from contextlib import suppress
from pathlib import Path

LOCALHOST = "127.0.0.1"
# Below the ports that Linux gives to outgoing connections (32768 and above), so that none of them takes a chosen port
# before its server listens.
_RANGE = range(10_000, 32_000)
_MAX_TRIES = 100
_SHARES = 16  # processes whose ids follow each other, such as those of tests, choose among different ports
_given: set[int] = set()  # those that this process has chosen: their servers may not listen yet
_chance = random.SystemRandom()  # a test run gives the usual one the same seed in each of its processes


def is_free(port: int, host: str = LOCALHOST) -> bool:
    """Return whether a server could listen on this port now."""
    try:
        bind(host, port)
    except OSError:
        return False
    return True


def bind(host: str, port: int) -> int:
    """Bind the port for a moment and return it; 0 chooses a free one. Raises OSError with the reason."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])


def choose(host: str = LOCALHOST) -> int:
    """Return a port that is free now, which this process has not chosen before, nor one beside it. Raises OSError."""
    share = _RANGE[os.getpid() % _SHARES :: _SHARES]
    for _ in range(_MAX_TRIES):
        port = _chance.choice(share)
        if port not in _given and is_free(port, host):
            _given.add(port)
            return port
    return bind(host, 0)


def noted(file: Path) -> int:
    """Return the port that is stored in `file` if it is free, else choose a new one and store it there.

    With the same port, the database client of a developer can reconnect after a restart.
    """
    with suppress(OSError, ValueError):
        port = int(file.read_text())
        if is_free(port):
            return port
    port = choose()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{port}\n")
    return port
