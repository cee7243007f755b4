"""What is around one command to MongoDB: what the driver tells of it, and the exchange of a command that reads."""

import struct
import time
from datetime import timedelta
from typing import Any

from bson import decode
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.helpers_shared import _check_command_response
from pymongo.message import _op_msg
from pymongo.read_preferences import ReadPreference
from pymongo.synchronous.pool import Connection

from taskmanager.core.telemetry import timings

_PLAIN: CodecOptions[Any] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
_SUCCESS = b"\x03cursor\x00"  # how the replies of commands with rows begin; those of errors begin with another element
_SIZE = struct.Struct("<i")


class DriverEvents:
    """What the driver tells of each command, in the place of its own listeners, which it would make objects for."""

    enabled_for_commands = True

    def __init__(self, listeners: Any) -> None:
        """Take the driver's listeners, which are told too when there are any for commands."""
        self._listeners = listeners

    def publish_command_start(self, command: Any, *more: Any, **named: Any) -> None:
        """Note that a command is sent."""
        timings.SPENT.command = command
        if self._listeners.enabled_for_commands:
            self._listeners.publish_command_start(command, *more, **named)

    def publish_command_success(
        self, duration: Any, reply: Any, name: str, *more: Any, database_name: str = "", **named: Any
    ) -> None:
        """Count a command."""
        timings.count_command(name, duration.total_seconds(), database_name)
        if self._listeners.enabled_for_commands:
            self._listeners.publish_command_success(duration, reply, name, *more, database_name=database_name, **named)

    def publish_command_failure(
        self, duration: Any, failure: Any, name: str, *more: Any, database_name: str = "", **named: Any
    ) -> None:
        """Count a command that failed."""
        timings.count_command(name, duration.total_seconds(), database_name, failed=True)
        if self._listeners.enabled_for_commands:
            self._listeners.publish_command_failure(
                duration, failure, name, *more, database_name=database_name, **named
            )


class Exchange:
    """A command that reads, and its reply, on one connection: what `Connection.command` does for any command.

    That would take twice the time, because most of it is for other commands than these.
    """

    def __init__(self, client: MongoClient[Any], conn: Connection, session: ClientSession | None) -> None:
        """Take the session whose reads come after one another; None for a read that comes after none."""
        self._client, self._conn, self._session = client, conn, session

    def run(self, collection: Collection[Any], command: dict[str, Any]) -> bytes:
        """Send the command, which is changed, and return the reply in BSON. Raises PyMongoError."""
        name, database, conn = next(iter(command)), collection.database.name, self._conn
        events: Any = conn.listeners
        self._complete(command, collection)
        request, message, _, size = _op_msg(0, command, database, None, _PLAIN, ctx=conn.compression_context)
        where = request, conn.address, conn.server_connection_id
        events.publish_command_start(command, database, *where)
        started = time.monotonic()
        try:
            conn.send_message(message, size)
            reply = bytes(conn.receive_message(request).payload_document)
            self._take(reply)
        except PyMongoError as error:
            failure = error.details if isinstance(error, OperationFailure) else {}
            events.publish_command_failure(_since(started), failure, name, *where, database_name=database)
            raise
        events.publish_command_success(_since(started), {}, name, *where, database_name=database)
        return reply

    def _complete(self, command: dict[str, Any], collection: Collection[Any]) -> None:
        if collection.read_concern.level:
            command["readConcern"] = collection.read_concern.document
        if (session := self._session) is not None:
            session._apply_to(command, False, ReadPreference.PRIMARY, self._conn)
            session._update_read_concern(command, self._conn)
            self._conn.send_cluster_time(command, session, self._client)
        self._conn.apply_timeout(command)

    def _take(self, reply: bytes) -> None:
        """Raise the error of a reply; else let the client know the times in it, which stand behind the rows."""
        if not reply.startswith(_SUCCESS, 4):
            found = decode(reply, _PLAIN)
            self._client._process_response(found, self._session)
            _check_command_response(found, self._conn.max_wire_version)
            return
        rest = reply[12 + _SIZE.unpack_from(reply, 12)[0] :]
        self._client._process_response(decode(_SIZE.pack(len(rest) + 4) + rest, _PLAIN), self._session)


def _since(started: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - started)
