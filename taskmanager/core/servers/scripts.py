"""Lua scripts that requests run: called without the work that redis-py does for a command of any kind."""

import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import redis
from redis.exceptions import TimeoutError as StoreTimeoutError

from taskmanager.core.servers.sockets import limit_waits

_READ_BYTES = 4096


class FastScript:
    """A script of a store, which takes integers as arguments and returns one text.

    It packs a call and reads the reply itself, and keeps the connections that it has used, because taking one from the
    client's pool and giving it back costs half of the call. Their timeouts are the system's. redis-py runs the script
    with TLS, and where the reply is no text, such as an error. Not for a process that forks after the first call.
    """

    def __init__(self, client: redis.Redis, text: str) -> None:
        self._script = client.register_script(text.encode())  # of a str, it would ask a server for its encoding
        self._pool = client.connection_pool
        self._is_plain = not issubclass(self._pool.connection_class, redis.SSLConnection)
        self._sha = self._script.sha.encode()
        # Connections and their sockets: at most as many as threads that have run it at the same time.
        self._kept: deque[tuple[Any, socket.socket]] = deque()

    def __call__(self, keys: Sequence[str], arguments: Sequence[int]) -> Any:
        """Run the script. Raises RedisError.

        It runs a second time after an error of its own, and when the store closes the connection before it replies.
        """
        if not self._is_plain:
            return self._script(keys, list(arguments))
        count, *numbers = [b"%d" % number for number in (len(keys), *arguments)]
        command = packed([b"EVALSHA", self._sha, count, *[key.encode() for key in keys], *numbers])
        connection, sock = self._connection()
        found = None
        try:
            found = _text(sock, command)
        except (BlockingIOError, TimeoutError):
            raise StoreTimeoutError("Timeout reading from socket") from None
        except OSError:  # closed by the store, perhaps long ago
            pass
        finally:
            if found is None:
                self._drop(connection)
        if found is None:
            return self._script(keys, list(arguments))
        self._kept.append((connection, sock))
        return found

    def _connection(self) -> tuple[Any, socket.socket]:
        """Return a connection, with its socket. Raises RedisError."""
        with suppress(IndexError):  # also when another thread has just taken the last one
            return self._kept.pop()
        connection: Any = self._pool.get_connection()
        sock = connection._sock  # it has no public name
        sock.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            limit_waits(sock, option, connection.socket_timeout)
        return connection, sock

    def _drop(self, connection: Any) -> None:
        """Give a connection back, which opens another socket when it is used again."""
        connection.disconnect()
        self._pool.release(connection)


def _text(sock: socket.socket, command: bytes) -> bytes | None:
    """Send a command and return the text that it replies (RESP, "Bulk strings"); None when it replies anything else.

    Raises OSError: BlockingIOError at a timeout.
    """
    sock.sendall(command)
    reply = b""
    while received := sock.recv(_READ_BYTES):
        reply += received
        head, end, rest = reply.partition(b"\r\n")
        if end and not (head[:1] == b"$" and head[1:].isdigit()):
            return None
        if end and len(rest) >= (size := int(head[1:])) + 2:
            return rest[:size]
    return None


def packed(parts: Sequence[bytes]) -> bytes:
    """Return a command as the stores read it (RESP, "Sending commands to a Redis server")."""
    return b"".join([b"*%d\r\n" % len(parts), *(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)])
