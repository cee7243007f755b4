"""Lua scripts that requests run: called without the work that redis-py does for a command of any kind."""

from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError


class FastScript:
    """A script of a store, which takes integers as arguments. Results are as the store sends them.

    It packs a call itself, and sends it on a connection of the client's pool, which still checks and mends it.
    """

    def __init__(self, client: redis.Redis, text: str) -> None:
        self._script = client.register_script(text.encode())  # of a str, it would ask a server for its encoding
        self._pool = client.connection_pool
        self._sha = self._script.sha.encode()

    def __call__(self, keys: Sequence[str], arguments: Sequence[int]) -> Any:
        """Run the script. Raises RedisError."""
        count, *numbers = [b"%d" % number for number in (len(keys), *arguments)]
        command = packed([b"EVALSHA", self._sha, count, *[key.encode() for key in keys], *numbers])
        connection = self._pool.get_connection()
        try:
            connection.send_packed_command([command])
            return connection.read_response()
        except NoScriptError:  # the store was started anew, or emptied of its scripts
            pass
        finally:
            self._pool.release(connection)
        return self._script(keys, list(arguments))


def packed(parts: Sequence[bytes]) -> bytes:
    """Return a command as the stores read it (RESP, "Sending commands to a Redis server")."""
    return b"".join([b"*%d\r\n" % len(parts), *(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)])
