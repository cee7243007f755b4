"""TLS in front of a server that has none, as stunnel does it: `python -m tests.tls_front CERTIFICATE PORT BEHIND`."""

import socket
import ssl
import sys
import threading
from contextlib import suppress

from taskmanager.embedded.ports import LOCALHOST


def serve(certificate: str, port: int, behind: int) -> None:
    """Serve until it is killed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with socket.create_server((LOCALHOST, port)) as listening:
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=_answer, args=(context, sock, behind), daemon=True).start()


def _answer(context: ssl.SSLContext, sock: socket.socket, behind: int) -> None:
    with suppress(OSError), context.wrap_socket(sock, server_side=True) as client, _connected(behind) as server:
        threading.Thread(target=_forward, args=(server, client), daemon=True).start()
        _forward(client, server)


def _connected(port: int) -> socket.socket:
    return socket.create_connection((LOCALHOST, port))


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
