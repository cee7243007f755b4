"""A commit that others wait for: the primary has it first, and they go on; the response waits for the majority."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pymongo
import pytest
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from taskmanager.core.configuration import settings
from taskmanager.core.servers.driver import DirectClient, when_committed
from tests.failpoints import failpoint


class Commits(CommandListener):
    """The write concerns of the commits that are sent."""

    def __init__(self) -> None:
        self.concerns: list[Any] = []

    def started(self, event: Any) -> None:
        if event.command_name == "commitTransaction":
            self.concerns.append(event.command["writeConcern"]["w"])

    def succeeded(self, event: Any) -> None:
        pass

    failed = succeeded


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture(params=[DirectClient], ids=["ours"])
def rows(app, commits, request) -> Iterator[Collection[Any]]:
    options: dict[str, Any] = {"timeoutMS": 5_000, "readConcernLevel": "majority"}
    with request.param(settings.current().mongodb_uri, event_listeners=[commits], **options) as client:
        found = client.get_default_database()["commits"]
        found.insert_one({"_id": 0, "number": 0})
        yield found
        found.drop()


def transact(rows: Collection[Any], call: Callable[[], Any], work: Callable[[ClientSession], Any] | None = None) -> int:
    """Add 1 in a transaction, or do other work; return how often that was done.

    It is begun again where the snapshot is older than the last commit, as beside transactions of other tests.
    """
    runs = []

    def run(session: ClientSession) -> None:
        (work or (lambda session: rows.update_one({"_id": 0}, {"$inc": {"number": 1}}, session=session)))(session)
        runs.append(1)
        when_committed(session, call)

    with rows.database.client.start_session() as session:
        session.with_transaction(run, ReadConcern("snapshot"), WriteConcern("majority"))
    return len(runs)


def number(rows: Collection[Any]) -> int:
    return int(rows.find_one({"_id": 0})["number"])


def test_others_write_the_same_document_before_the_majority_has_the_commit(rows, commits):
    def write() -> None:
        assert commits.concerns == [1]
        assert transact(rows, lambda: None) == 1

    assert transact(rows, write) == 1
    assert number(rows) == 2
    assert commits.concerns == [1, 1, "majority", "majority"]


@pytest.mark.parametrize("rows", [pymongo.MongoClient], indirect=True, ids=["driver's"])
def test_of_another_client_the_majority_has_each_commit_at_once(rows, commits):
    called = []
    assert transact(rows, lambda: called.append(1)) == 1
    assert (called, commits.concerns) == ([], ["majority"])


@pytest.mark.parametrize(
    "fault",
    [
        {"closeConnection": True},
        {"errorCode": 189, "errorLabels": ["RetryableWriteError"]},  # PrimarySteppedDown
        {"writeConcernError": {"code": 64, "errmsg": "too slow"}},
        # The driver forgets which attempt it is when the server has too many commands twice.
        {"errorCode": 462, "errorLabels": ["SystemOverloadedError", "RetryableError"], "times": 2},
    ],
)
@pytest.mark.parametrize("step", [1, 2])
def test_a_step_that_fails_is_repeated_until_the_majority_has_the_commit(rows, commits, fault, step):
    called = []
    with ExitStack() as until_the_end:
        fail = lambda: until_the_end.enter_context(failpoint("commitTransaction", **{"times": 1} | fault))  # noqa: E731
        if step == 1:
            fail()
        assert transact(rows, lambda: (called.append(1), step == 2 and fail())) == 1
    assert number(rows) == 1
    assert len(called) == step - 1  # after an error it is known only at the end
    assert commits.concerns[-1] == "majority", commits.concerns


def test_a_commit_that_a_failover_has_rolled_back_is_run_again(rows):
    gone = {"errorCode": 251, "errorLabels": ["TransientTransactionError"]}  # NoSuchTransaction
    called = []
    with ExitStack() as until_the_end:

        def call() -> None:
            called.append(1)
            if len(called) == 1:
                until_the_end.enter_context(failpoint("commitTransaction", times=1, **gone))

        assert transact(rows, call) == 2
    assert len(called) == 2


def test_a_transaction_without_a_command_has_no_commit(rows, commits):
    called = []
    assert transact(rows, lambda: called.append(1), work=lambda session: None) == 1
    assert (called, commits.concerns) == ([], [])
