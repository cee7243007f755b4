"""Lua scripts that requests run: called without the work that redis-py does for a command of any kind."""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import redis
from redis.exceptions import NoScriptError, RedisError


class FastScript:
    """A script of a store, which takes integers as arguments. Results are as the store sends them.

    It packs a call itself, and keeps the connections that it has used, because taking one from the client's pool and
    giving it back costs half of the call. The pool mends a connection that was closed meanwhile. Not for a process that
    forks after the first call.
    """

    def __init__(self, client: redis.Redis, text: str) -> None:
        self._script = client.register_script(text.encode())  # of a str, it would ask a server for its encoding
        self._pool = client.connection_pool
        self._sha = self._script.sha.encode()
        self._kept: deque[Any] = deque()  # at most as many as threads that have run it at the same time

    def __call__(self, keys: Sequence[str], arguments: Sequence[int]) -> Any:
        """Run the script. Raises RedisError."""
        count, *numbers = [b"%d" % number for number in (len(keys), *arguments)]
        command = packed([b"EVALSHA", self._sha, count, *[key.encode() for key in keys], *numbers])
        connection = self._connection()
        try:
            connection.send_packed_command([command])
            found = connection.read_response()
        except NoScriptError:  # the store was started anew, or emptied of its scripts
            self._pool.release(connection)
            return self._script(keys, list(arguments))
        except BaseException:
            self._pool.release(connection)
            raise
        self._kept.append(connection)
        return found

    def _connection(self) -> Any:
        """Return a connection that is open, and has no reply that nothing has read. Raises RedisError."""
        try:
            connection = self._kept.pop()
        except IndexError:  # also when another thread has just taken the last one
            return self._pool.get_connection()
        with suppress(RedisError, OSError):
            if not connection.can_read():
                return connection
        connection.disconnect()
        self._pool.release(connection)
        return self._pool.get_connection()


def packed(parts: Sequence[bytes]) -> bytes:
    """Return a command as the stores read it (RESP, "Sending commands to a Redis server")."""
    return b"".join([b"*%d\r\n" % len(parts), *(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)])
