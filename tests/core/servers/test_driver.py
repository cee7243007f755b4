"""The client of the database does what the driver's own does, with fewer connections taken from its pool."""

import gc
import os
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pymongo
import pytest
from bson import decode
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WriteError,
)
from pymongo.monitoring import ConnectionPoolListener
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from taskmanager.core.configuration import settings
from taskmanager.core.servers.driver import DirectClient
from taskmanager.core.servers.exchanges import WITHOUT_ZONES
from taskmanager.core.storage import database
from taskmanager.core.storage.chunked_updates import update_each
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.stored_rows import find
from taskmanager.core.telemetry import timings
from tests.failpoints import failpoint

Client = pymongo.MongoClient[dict[str, Any]]


class Checkouts(ConnectionPoolListener):
    """Counts the connections that are taken from the pools, and those that come back."""

    def __init__(self) -> None:
        self.out = self.back = self.cleared = 0

    def connection_checked_out(self, event: object) -> None:
        self.out += 1

    def connection_checked_in(self, event: object) -> None:
        self.back += 1

    def pool_cleared(self, event: object) -> None:
        self.cleared += 1

    def _nothing(self, event: object) -> None:
        pass

    pool_created = pool_ready = pool_closed = connection_created = connection_ready = _nothing
    connection_closed = connection_check_out_started = connection_check_out_failed = _nothing


@pytest.fixture
def checkouts() -> Checkouts:
    return Checkouts()


@pytest.fixture(params=[DirectClient, pymongo.MongoClient], ids=["ours", "driver's"])
def client(app, checkouts, request) -> Iterator[Client]:
    """A client of either kind: what is asserted of both is the driver's behaviour."""
    options: dict[str, Any] = {"timeoutMS": 3_000, "readConcernLevel": "majority", "uuidRepresentation": "standard"}
    with request.param(settings.current().mongodb_uri, event_listeners=[checkouts], **options) as made:
        made.admin.command("ping")
        yield made
        assert checkouts.out == checkouts.back, "a connection is not back in its pool"


@pytest.fixture
def kept(client) -> Iterator[Collection[Any]]:
    collection = client.get_default_database()["driver"]
    collection.create_index("name", unique=True)
    yield collection
    collection.drop()


@pytest.fixture
def direct(kept) -> Collection[Any]:
    """The collection of our client, for what the driver's has not."""
    return kept


of_ours = pytest.mark.parametrize("client", [DirectClient], indirect=True, ids=["ours"])


def transact(client: Client, work) -> Any:
    with client.start_session() as session, session.bind(end_session=False):
        return session.with_transaction(lambda _: work(), ReadConcern("snapshot"), WriteConcern("majority"))


def write(kept: Collection[Any], name: str = "a") -> Any:
    kept.insert_one({"name": name, "number": 0})
    kept.update_many({"name": name}, {"$inc": {"number": 1}})
    found = kept.find_one_and_update({"name": name}, {"$inc": {"number": 1}}, return_document=True)
    return found["number"], kept.find_one({"name": name})["number"], [row["name"] for row in kept.aggregate([])]


def test_a_transaction_does_what_it_does_with_the_driver(client, kept, checkouts):
    before = checkouts.out
    assert transact(client, lambda: write(kept)) == (2, 2, ["a"])
    assert kept.find_one({"name": "a"})["number"] == 2
    if isinstance(client, DirectClient):
        assert checkouts.out - before == 2  # one for the transaction, and one for the read after it


@pytest.mark.parametrize("command", ["insert", "update", "findAndModify", "find", "aggregate", "commitTransaction"])
def test_a_transaction_that_loses_its_connection_is_run_again(client, kept, command):
    runs = []
    with failpoint(command, times=1, closeConnection=True):
        found = transact(client, lambda: (runs.append(1), write(kept))[1])
    assert found == (2, 2, ["a"])
    assert kept.find_one({"name": "a"})["number"] == 2
    assert len(runs) == (1 if command == "commitTransaction" else 2)


@pytest.mark.parametrize(
    ("fault", "runs"),
    [
        ({"errorCode": 112, "errorLabels": ["TransientTransactionError"]}, 2),  # WriteConflict
        ({"errorCode": 11602, "errorLabels": ["RetryableWriteError"]}, 1),  # InterruptedDueToReplStateChange
    ],
)
def test_a_commit_that_fails_is_repeated_as_the_driver_does(client, kept, fault, runs):
    seen = []
    with failpoint("commitTransaction", times=1, **fault):
        transact(client, lambda: (seen.append(1), kept.insert_one({"name": f"run {len(seen)}"})))
    assert (len(seen), kept.distinct("name")) == (runs, [f"run {runs}"])


def test_the_first_error_of_a_transaction_is_the_drivers(client, kept):
    kept.insert_one({"name": "a"})
    with pytest.raises(DuplicateKeyError) as caught:
        transact(client, lambda: kept.insert_one({"name": "a"}))
    assert caught.value.code == 11000 and caught.value.details["keyValue"] == {"name": "a"}
    with pytest.raises(OperationFailure) as caught:
        transact(client, lambda: kept.find_one({"$nothing": 1}))
    assert (type(caught.value), caught.value.code) == (OperationFailure, 2)


def test_an_exception_between_two_commands_aborts(client, kept):
    def work() -> None:
        kept.insert_one({"name": "a"})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transact(client, work)
    assert kept.count_documents({}) == 0


@pytest.mark.parametrize("fault", [{"closeConnection": True}, {"errorCode": 189}, {"errorCode": 10107}])
def test_an_abort_that_fails_is_repeated(client, kept, fault):
    def work() -> None:
        kept.insert_one({"name": "a"})
        raise KeyboardInterrupt

    with failpoint("abortTransaction", times=1, **fault), pytest.raises(KeyboardInterrupt):
        transact(client, work)
    kept.insert_one({"name": "a"})  # it would wait for a transaction that is still open


@of_ours
def test_a_session_that_nothing_refers_to_ends_at_once(direct, checkouts):
    client = direct.database.client
    session = client.start_session()
    session.start_transaction()
    direct.insert_one({"name": "a"}, session=session)
    gone, lsid = weakref.ref(session), dict(session.session_id)
    gc.disable()
    try:
        del session
        assert gone() is None
    finally:
        gc.enable()
    client._process_periodic_tasks()  # where the driver gives back what such sessions have held
    assert checkouts.out == checkouts.back
    client.admin.command("killSessions", [lsid])


@pytest.mark.parametrize("value", [2**70, "\ud800", "x" * 17_000_000])
def test_a_command_that_cannot_be_encoded_harms_no_other_connection(client, kept, checkouts, value):
    def work() -> None:
        kept.insert_one({"name": "a"})
        kept.insert_one({"name": value})

    with pytest.raises((OverflowError, UnicodeEncodeError, DocumentTooLarge)):
        transact(client, work)
    assert (kept.count_documents({}), checkouts.cleared) == (0, 0)


@pytest.mark.parametrize("command", ["find", "insert", "findAndModify", "commitTransaction"])
def test_a_server_that_has_too_many_commands_is_asked_again(client, kept, command):
    labels = ["SystemOverloadedError", "RetryableError", "RetryableWriteError"]
    with failpoint(command, times=1, errorCode=462, errorLabels=labels):
        assert transact(client, lambda: write(kept)) == (2, 2, ["a"])
    with failpoint("find", times=1, errorCode=462, errorLabels=labels):
        assert kept.find_one({"name": "a"})["number"] == 2


@of_ours
def test_an_error_of_the_metrics_fails_no_command(direct, monkeypatch, capsys):
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no space for metrics")

    monkeypatch.setattr(timings, "count_command", fail)
    assert transact(direct.database.client, lambda: write(direct)) == (2, 2, ["a"])
    assert "no space for metrics" in capsys.readouterr().err


@of_ours
def test_values_of_any_kind_are_found_in_and_outside_of_transactions(direct):
    uuid = uuid4()
    direct.insert_one({"name": uuid})
    read = lambda: [decode(row, WITHOUT_ZONES)["name"] for row in find(direct, {"name": uuid}, limit=1)]  # noqa: E731
    assert read() == transact(direct.database.client, read) == [uuid]


@pytest.mark.parametrize("fault", [{"closeConnection": True}, {"errorCode": 10107}, {"errorCode": 11602}])
def test_a_read_that_fails_by_its_server_is_repeated(client, kept, fault):
    kept.insert_one({"name": "a"})
    with failpoint("find", times=1, **fault):
        assert kept.find_one({"name": "a"})
    if isinstance(client, DirectClient):
        with failpoint("find", times=1, **fault):
            assert find(kept, {"name": "a"}, limit=1)


@of_ours
@pytest.mark.parametrize("code", [2, 50])
def test_a_read_that_cannot_succeed_is_sent_once(direct, checkouts, code):
    before = checkouts.out
    with failpoint("find", errorCode=code), pytest.raises(OperationFailure) as caught:
        find(direct, {}, limit=1)
    assert (caught.value.code, checkouts.out - before) == (code, 1)


@of_ours
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_server_that_does_not_answer_is_an_error_in_time_and_its_reply_is_read_by_nothing(direct, in_transaction):
    direct.insert_one({"name": "a"})
    client, read = direct.database.client, lambda: find(direct, {"name": "a"}, limit=1)
    with failpoint("find", blockConnection=True, blockTimeMS=1_500), pytest.raises(PyMongoError) as caught:
        begun = time.monotonic()  # the failpoint may have waited for that of another process
        with pymongo.timeout(0.5):
            transact(client, read) if in_transaction else read()
    assert caught.value.timeout and 0.4 < time.monotonic() - begun < 5
    assert decode(find(direct, {"name": "a"}, limit=1)[0])["name"] == "a"
    assert client.admin.command("buildInfo")["version"]


@of_ours
def test_reads_of_a_session_come_after_one_another(direct):
    client = direct.database.client
    direct.insert_one({"name": "a"})
    with client.start_session(causal_consistency=True) as session, session.bind(end_session=False):
        assert session.operation_time is None
        assert find(direct, {}, limit=1)
        first = session.operation_time
        assert first is not None and session.cluster_time["clusterTime"] >= first
        client.get_default_database()["driver"].insert_one({"name": "b"})
        assert len(find(direct, {}, limit=5)) == 2
        assert session.operation_time > first


def test_updates_fail_as_those_of_the_driver(client, kept):
    kept.insert_many([{"name": "a"}, {"name": "b"}])
    statement = {"q": {"name": "b"}, "u": {"$set": {"name": "a"}}}
    with pytest.raises(DuplicateKeyError):
        transact(client, lambda: update_each(kept, [{"q": {"name": "a"}, "u": {"$inc": {"n": 1}}}, statement]))
    with pytest.raises((WriteError, BulkWriteError)):
        update_each(kept, [{"q": {"name": "a"}, "u": {"$set": {"name.first": 1}}}])
    assert [row.get("n") for row in kept.find()] == [None, None]
    transact(client, lambda: update_each(kept, [{"q": {"name": "c"}, "u": {"$inc": {"n": 1}}, "upsert": True}] * 2))
    assert kept.find_one({"name": "c"})["n"] == 2


def test_two_transactions_that_write_one_document_both_commit(client, kept):
    kept.insert_one({"name": "a", "number": 0})

    def add() -> None:
        for _ in range(10):
            transact(client, lambda: kept.update_one({"name": "a"}, {"$inc": {"number": 1}}))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept.find_one({"name": "a"})["number"] == 40


@of_ours
def test_a_fork_uses_connections_of_its_own(direct):
    direct.insert_one({"name": "a"})
    assert find(direct, {}, limit=1)
    child = os.fork()
    if not child:
        with suppress(BaseException), warnings.catch_warnings(action="ignore"):  # the driver warns of forks
            os._exit(0 if len(find(direct, {}, limit=1)) == 1 and direct.find_one() else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert find(direct, {}, limit=1)


@of_ours
def test_a_client_that_was_closed_reads_nothing(direct):
    assert direct.find_one() is None
    with DirectClient(settings.current().mongodb_uri) as other:
        found = other.get_default_database()["driver"]
        find(found, {}, limit=1)
    with pytest.raises(pymongo.errors.InvalidOperation):
        find(found, {}, limit=1)


def test_a_pool_of_one_connection_is_enough(other_app):
    other_app(mongodb_pool_size=1)
    collection = database.database()["driver"]

    @unit_of_work
    def use_case() -> int:
        collection.insert_one({"name": "a"})
        return len(find(collection, {}, limit=5)) + collection.count_documents({})

    try:
        assert use_case() == 2
        assert len(find(collection, {}, limit=5)) == 1
        assert database.pool_sizes() == (1, 0)
    finally:
        collection.drop()


@of_ours
def test_a_lost_connection_of_a_read_outside_of_time_limits_is_an_error(direct):
    with failpoint("find", closeConnection=True), pytest.raises(AutoReconnect):
        find(direct, {}, limit=1)
