"""The MongoDB driver's client, with less work around each command.

PyMongo selects a server, takes a connection from its pool, makes an object for what a retry would need, and three for
those that listen, for each command: as much as the command itself costs. This client keeps the server that was selected
until something is known to have changed, keeps the connection of a transaction until its end, and tells its listeners
without making objects. What fails goes the driver's way. Attributes of the driver that begin with an underscore are
used here and in `exchanges`; tests notice when a release changes them.
"""

import os
import socket
from collections.abc import Callable
from typing import Any, cast

import pymongo
from bson.binary import UuidRepresentation
from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import _csot
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import (
    ConnectionFailure,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.helpers_shared import _RETRYABLE_ERROR_CODES
from pymongo.mongo_client_shared import _add_retryable_write_error
from pymongo.network_layer import NetworkingInterface
from pymongo.read_preferences import Primary, ReadPreference
from pymongo.server_selectors import writable_server_selector
from pymongo.synchronous.cursor_base import _ConnectionManager
from pymongo.synchronous.mongo_client import _ClientCheckout
from pymongo.synchronous.pool import Connection, Pool
from pymongo.synchronous.server import Server
from pymongo.topology_description import TOPOLOGY_TYPE
from pymongo.write_concern import WriteConcern

from taskmanager.core.servers.exchanges import DriverEvents, Exchange
from taskmanager.core.servers.sockets import DriverSocket

_RAW = CodecOptions(RawBSONDocument, uuid_representation=UuidRepresentation.STANDARD)
_ENDS = ("commitTransaction", "abortTransaction")


class DirectConnection(Connection):
    """A connection with a shorter way for most commands of transactions."""

    def command(  # type: ignore[override]  # what it does not need is passed on
        self,
        dbname: str,
        spec: Any,
        read_preference: Any = ReadPreference.PRIMARY,
        codec_options: CodecOptions[Any] = DEFAULT_CODEC_OPTIONS,
        check: bool = True,
        allowable_errors: Any = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Run a command as the driver does."""
        session, client = options.get("session"), options.get("client")
        if (
            session is None
            or not (session.in_transaction and session._client is client and check)
            or (allowable_errors or read_preference.mode)
            or any(options.get(name) for name in ("collation", "exhaust_allowed"))
        ):
            return super().command(dbname, spec, read_preference, codec_options, check, allowable_errors, **options)
        _csot.apply_write_concern(spec, options.get("write_concern"))
        try:
            return Exchange(cast(Any, client), self, session).write(dbname, spec, codec_options)
        except (OperationFailure, NotPrimaryError):
            raise
        except BaseException as error:
            self._raise_connection_failure(error)


class DriverPool(Pool):
    """A pool of connections with `DriverSocket`s. Those with TLS, and of monitors, keep the driver's."""

    def connect(self, handler: Any = None) -> Connection:
        """Return a new connection."""
        made = super().connect(handler)
        if not self.is_sdam:
            made.__class__ = DirectConnection
            made.listeners = cast(Any, DriverEvents(made.listeners))
            if type(made.conn.get_conn) is socket.socket:
                made.conn = NetworkingInterface(DriverSocket.of(made.conn.get_conn))
        return made


class _Held(_ConnectionManager):
    """The connection of a transaction. The driver closes this when the transaction or its session ends."""

    def __init__(self, checkout: _ClientCheckout, server: Server) -> None:
        super().__init__(checkout.__enter__(), False)
        checkout.session = None  # else the session would hold itself, and end late where it is not ended
        self.server = server
        self.committed: Callable[[], None] | None = None  # see `when_committed`
        self._checkout: _ClientCheckout | None = checkout

    def run(self, client: "DirectClient", session: ClientSession, operation: str, command: Callable[[], Any]) -> Any:
        """Return the result of a command, and let the driver know how it ended."""
        if operation == "commitTransaction" and (call := self.committed):
            self.committed = None
            self._commit_at_primary(client, session, command)
            call()
        try:
            found = command()
        except BaseException as error:
            checkout = _ClientCheckout.for_existing_conn(client, self.server, session, cast(Connection, self.conn))
            checkout.handle(type(error), error)
            raise
        session._transaction.has_completed_command = True
        return found

    def _commit_at_primary(self, client: "DirectClient", session: ClientSession, commit: Callable[[], Any]) -> None:
        """Commit with w: 1. The driver sends the next commit, which it takes for a repeated one, with w: "majority"."""
        transaction = session._transaction
        chosen: Any = transaction.opts
        fixed = chosen.read_concern, WriteConcern(w=1), chosen.read_preference, chosen.max_commit_time_ms
        transaction.opts = type(chosen)(*fixed)
        try:
            self.run(client, session, "commitTransaction", commit)
        finally:
            transaction.opts = chosen

    def is_closed(self) -> bool:
        """Return whether the connection is of no use any more, as after an error in the middle of a command."""
        return self.conn is None or self.conn.closed

    def close(self) -> None:
        """Give the connection back to its pool."""
        checkout, self._checkout, self.conn = self._checkout, None, None
        if checkout is not None:
            checkout.__exit__(None, None, None)


class DirectClient(pymongo.MongoClient[dict[str, Any]]):
    """A client of a replica set with a primary; of another deployment it is as the driver's."""

    _last: tuple[Any, Server] | None = None  # the description of the deployment, and its primary

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what the driver's client takes."""
        super().__init__(*args, **options, _pool_class=DriverPool)
        self._event_listeners = cast(Any, DriverEvents(self._event_listeners))

    def _select_server(
        self,
        server_selector: Any,
        session: ClientSession | None,
        operation: str,
        address: Any = None,
        deprioritized_servers: Any = None,
        operation_id: int | None = None,
    ) -> Server:
        """Return the server for an operation: the last one, when that was the primary, and is wanted again."""
        if address or deprioritized_servers or not _wants_primary(server_selector):
            return super()._select_server(
                server_selector, session, operation, address, deprioritized_servers, operation_id
            )
        if (server := self._primary()) is None:
            return self._select_primary(server_selector, session, operation)
        if session and not session.in_transaction:
            session._transaction.reset()
        if _csot.get_timeout():
            _csot.set_rtt(server.description.min_round_trip_time)
        return server

    def _select_primary(self, *wanted: Any) -> Server:
        """Let the driver select, and keep what it has found, unless another description has come meanwhile."""
        before = self._topology._description if self._topology else None
        server = super()._select_server(*wanted)
        if before is not None and before.topology_type == TOPOLOGY_TYPE.ReplicaSetWithPrimary:
            self._last = before, server
        return server

    def _primary(self) -> Server | None:
        """Return the primary, if it is known and nothing has changed since. A fork lets the driver begin again."""
        last, topology = self._last, self._topology
        if last is None or topology is None or last[0] is not topology._description or topology._pid != os.getpid():
            return None
        return last[1]

    @_csot.apply
    def _retry_internal(  # type: ignore[override]  # what it does not need is passed on
        self, func: Callable[..., Any], session: ClientSession | None, bulk: Any, operation: str, **options: Any
    ) -> Any:
        """Run an operation, if it is one of a transaction or reads; after an error that allows it, the driver does."""
        is_read = options.get("is_read", False)
        if options.get("address") or (is_read and not _wants_primary(options["read_pref"])):
            return super()._retry_internal(func, session, bulk, operation, **options)
        if session is not None and session.in_transaction:
            if held := self._hold(session, operation):
                wanted = (held.server, held.conn, options["read_pref"]) if is_read else (held.conn, False)
                try:
                    return held.run(self, session, operation, lambda: func(session, *wanted))
                except PyMongoError as error:
                    if not (_is_overload(error) or (operation in _ENDS and _is_repeated(error))):
                        raise
                    _begin_again(session, error)
        elif is_read and self._primary():
            try:
                server = self._select_server(options["read_pref"], session, operation)
                with self._checkout(server, session) as conn:
                    return func(session, server, conn, options["read_pref"])
            except (ConnectionFailure, OperationFailure) as error:
                if not _may_succeed_again(error) or not options.get("retryable"):
                    raise
        return super()._retry_internal(func, session, bulk, operation, **options)

    @_csot.apply
    def read(self, collection: Collection[Any], command: dict[str, Any]) -> bytes:
        """Run a command that reads, such as `find`, with the collection's read concern; return the reply in BSON.

        In the transaction or the session that is bound, by the member that the collection prefers. Raises PyMongoError.
        """
        name, session = next(iter(command)), self._get_bound_session()

        def run(session: Any, server: Any, conn: Connection, preference: Any) -> bytes:
            if not preference.mode and not (session and session.in_transaction):
                return Exchange(self, conn, session).read(collection, dict(command))
            options = {
                "session": session,
                "client": self,
                "codec_options": _RAW,
                "read_concern": collection.read_concern,
            }
            found: Any = conn.command(collection.database.name, dict(command), preference, **options)
            return bytes(found.raw)

        preference = collection._read_preference_for(session)
        retryable = self.options.retry_reads and not (session and session.in_transaction)
        found: bytes = self._retry_internal(
            run, session, None, name, is_read=True, read_pref=preference, retryable=retryable
        )
        return found

    def _hold(self, session: ClientSession, operation: str) -> _Held | None:
        """Return the connection of a transaction, which its first command takes; None for another deployment."""
        transaction = session._transaction
        if isinstance(transaction.conn_mgr, _Held) and transaction.conn_mgr.is_closed():
            session._unpin()
        if transaction.conn_mgr is None:
            server = self._select_server(writable_server_selector, session, operation)
            if server is not self._primary():
                return None
            transaction.conn_mgr = _Held(self._checkout(server, session), server)
        return transaction.conn_mgr if isinstance(transaction.conn_mgr, _Held) else None


def when_committed(session: ClientSession, call: Callable[[], None]) -> None:
    """Call a function when the primary has committed the open transaction, before a majority of the members has.

    From then on other transactions may write the same documents. Their commits wait for the majority in their turn, so
    what they have read of this one is lost only together with their own writes. This costs one command more. It is not
    called with a client other than `DirectClient`, and not after an error of the first attempt to commit.
    """
    if isinstance(held := session._transaction.conn_mgr, _Held):
        held.committed = call


def _wants_primary(selector: Any) -> bool:
    return selector is writable_server_selector or type(selector) is Primary


def _is_repeated(error: PyMongoError) -> bool:
    """Return whether the driver repeats the end of a transaction after the error."""
    _add_retryable_write_error(error)
    return error.has_error_label("RetryableWriteError")


def _is_overload(error: PyMongoError) -> bool:
    """Return whether the server did not begin a command, because it has too many: the driver waits, and repeats it."""
    return error.has_error_label("SystemOverloadedError") and error.has_error_label("RetryableError")


def _begin_again(session: ClientSession, error: PyMongoError) -> None:
    """Let the driver repeat a command of a transaction, which begins with it if the server has begun none."""
    if _is_overload(error) and not session._transaction.has_completed_command:
        session._transaction.set_starting()
    session._unpin()


def _may_succeed_again(error: PyMongoError) -> bool:
    """Return whether the driver's rules let a read be repeated after the error."""
    if (left := _csot.remaining()) is not None and left <= 0:
        return False
    if _is_overload(error):
        return True
    if isinstance(error, OperationFailure):
        return error.code in _RETRYABLE_ERROR_CODES
    return not isinstance(error, ServerSelectionTimeoutError)
