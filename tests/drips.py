"""A way to a server on which its replies come in drips, as over a network that is slow."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from taskmanager.embedded import ports


@contextmanager
def in_front_of(port: int, *, size: int = 1) -> Iterator[int]:
    """Yield the port of the way: so many bytes at a time come back."""
    with socket.create_server((ports.LOCALHOST, 0)) as listener:
        threading.Thread(target=_accept, args=(listener, port, size), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)  # its thread, too, ends


def _accept(listener: socket.socket, port: int, size: int) -> None:
    with suppress(OSError):
        while True:
            client, server = listener.accept()[0], socket.create_connection((ports.LOCALHOST, port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, target, most in ((client, server, 65_536), (server, client, size)):
                threading.Thread(target=_pass_on, args=(source, target, most), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, size: int) -> None:
    with suppress(OSError), source, target:
        while received := source.recv(65_536):
            for start in range(0, len(received), size):
                target.sendall(received[start : start + size])
