"""HTTP over a unix socket, with the standard library alone: for health checks and releases."""

import http.client
import socket
from pathlib import Path

SCHEME = "unix:"


class UnixConnection(http.client.HTTPConnection):
    """A connection to the web server that listens on a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect; http.client calls this."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def get(socket_path: Path, path: str, timeout: float = 5.0) -> tuple[int, bytes]:
    """Return status and body of a GET. Raises OSError, also when the response is no HTTP."""
    connection = UnixConnection(socket_path, timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise OSError(f"no response that can be read ({type(error).__name__})") from None
    finally:
        connection.close()
