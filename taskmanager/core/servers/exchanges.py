"""What is around one command to MongoDB: what the driver tells of it, and the exchange of a command that reads."""

import struct
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from bson import decode
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, ProtocolError
from pymongo.helpers_shared import _check_command_response, _handle_exception
from pymongo.message import _op_msg
from pymongo.read_preferences import ReadPreference
from pymongo.synchronous.pool import Connection

from taskmanager.core.servers.sockets import DriverSocket
from taskmanager.core.telemetry import timings

# What is sent and read here. Moments have no zone, which doubles the time of decoding.
WITHOUT_ZONES: CodecOptions[Any] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
_SUCCESS = b"\x03cursor\x00"  # how the replies of commands with rows begin; those of errors begin with another element
_SIZE, _REPLY = struct.Struct("<i"), struct.Struct("<iiiB")
_HEADER = 21


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
        self._count(name, duration, database_name)
        if self._listeners.enabled_for_commands:
            self._listeners.publish_command_success(duration, reply, name, *more, database_name=database_name, **named)

    def publish_command_failure(
        self, duration: Any, failure: Any, name: str, *more: Any, database_name: str = "", **named: Any
    ) -> None:
        """Count a command that failed."""
        self._count(name, duration, database_name, failed=True)
        if self._listeners.enabled_for_commands:
            self._listeners.publish_command_failure(
                duration, failure, name, *more, database_name=database_name, **named
            )

    @staticmethod
    def _count(name: str, duration: timedelta, database: str, *, failed: bool = False) -> None:
        """Count a command, which is done: an error of the metrics is printed, as the driver prints its listeners'."""
        try:
            timings.count_command(name, duration.total_seconds(), database, failed=failed)
        except Exception:
            _handle_exception()


class Exchange:
    """A command and its reply on one connection: what `Connection.command` does for any command.

    That would take twice the time, because most of it is for other commands than these.
    """

    def __init__(self, client: MongoClient[Any], conn: Connection, session: ClientSession | None) -> None:
        """Take the session or transaction of the command; None for one of no session."""
        self._client, self._conn, self._session = client, conn, session

    def read(self, collection: Collection[Any], command: dict[str, Any]) -> bytes:
        """Send a command that reads, outside of transactions, and return the reply in BSON. Raises PyMongoError."""
        if collection.read_concern.level:
            command["readConcern"] = collection.read_concern.document
        if (session := self._session) is not None:
            session._apply_to(command, False, ReadPreference.PRIMARY, self._conn)
            session._update_read_concern(command, self._conn)
        reply, _ = self._run(collection.database.name, command, WITHOUT_ZONES, self._take_times)
        return reply

    def write(self, database: str, command: Any, codec: CodecOptions[Any]) -> dict[str, Any]:
        """Send a command of the session's transaction and return the reply. Raises PyMongoError."""
        session = cast(ClientSession, self._session)
        session._apply_to(command, False, ReadPreference.PRIMARY, self._conn)
        session._transaction.set_in_progress()
        _, found = self._run(database, command, codec, lambda reply: self._take(decode(reply, codec)))
        return found

    def _run(
        self, database: str, command: Any, codec: CodecOptions[Any], take: Callable[[bytes], Any]
    ) -> tuple[bytes, Any]:
        """Return the reply and what `take` makes of it, which raises its error."""
        name, conn = next(iter(command)), self._conn
        events: Any = conn.listeners
        conn.send_cluster_time(command, self._session, self._client)
        conn.apply_timeout(command)
        request, message, _, size = _op_msg(0, command, database, None, codec, ctx=conn.compression_context)
        where = request, conn.address, conn.server_connection_id
        events.publish_command_start(command, database, *where)
        started = time.monotonic()
        try:
            conn.send_message(message, size)
            reply = _received(conn, request)
            found = take(reply)
        except BaseException as error:
            failure = error.details if isinstance(error, OperationFailure) else {}
            events.publish_command_failure(_since(started), failure, name, *where, database_name=database)
            raise
        events.publish_command_success(_since(started), {}, name, *where, database_name=database)
        return reply, found

    def _take_times(self, reply: bytes) -> None:
        """Let the client know the times in a reply, which stand behind its rows."""
        if reply.startswith(_SUCCESS, 4):
            rest = reply[12 + _SIZE.unpack_from(reply, 12)[0] :]
            self._client._process_response(decode(_SIZE.pack(len(rest) + 4) + rest, WITHOUT_ZONES), self._session)
        else:
            self._take(decode(reply, WITHOUT_ZONES))

    def _take(self, found: dict[str, Any]) -> dict[str, Any]:
        self._client._process_response(found, self._session)
        _check_command_response(found, self._conn.max_wire_version, parse_write_concern_error=True)
        return found


def _received(conn: Connection, request: int) -> bytes:
    """Return the document of the reply to a request. Raises PyMongoError, with the connection closed.

    A message (OP_MSG of the wire protocol of MongoDB) is its size, two ids, 2013, no flags, a zero, and the document.
    Others, such as compressed ones, are read by the driver.
    """
    found = conn.conn.get_conn
    if conn.compression_context or not isinstance(found, DriverSocket):
        return bytes(conn.receive_message(request).payload_document)
    try:
        message = found.receive_message(conn.max_message_size)
        if message[8:_HEADER] != _REPLY.pack(request, 2013, 0, 0):
            raise ProtocolError(f"this is no reply to the request {request}")
    except BaseException as error:
        conn._raise_connection_failure(error)
    return message[_HEADER:]


def _since(started: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - started)
