"""One use case, one transaction."""

import time

import pytest
from pymongo.errors import OperationFailure, PyMongoError

from taskmanager.core.events.log import Counter, Event, record
from taskmanager.core.storage.unit_of_work import on_commit, unit_of_work

pytestmark = pytest.mark.usefixtures("app")

TRANSIENT = {"errorCode": 112, "labels": ("TransientTransactionError",)}  # WriteConflict
UNKNOWN_COMMIT = {"errorCode": 64, "labels": ("UnknownTransactionCommitResult",)}  # WriteConcernFailed


@pytest.fixture
def impatient(other_app):
    """The time that production gives a use case; the tests have more."""
    other_app(mongodb_timeout_ms=1900)


class Trouble(Exception):
    """Something the use case raises."""


def counters():
    return {counter.stream: counter.seq for counter in Counter.objects}


def save(stream, seq=1):
    Counter(stream=stream, seq=seq, at="2026-01-01T00:00:00Z").save(force_insert=True)


def test_commits_what_was_done_and_answers_what_it_answers():
    @unit_of_work
    def use_case(name):
        save(name)
        return name.upper()

    assert use_case("a") == "A"
    assert counters() == {"a": 1}


def test_rolls_back_everything_when_the_use_case_raises():
    @unit_of_work
    def use_case():
        save("a")
        save("b")
        raise Trouble

    with pytest.raises(Trouble):
        use_case()
    assert counters() == {}


def test_a_use_case_inside_another_joins_its_transaction():
    @unit_of_work
    def inner():
        save("inner")

    @unit_of_work
    def outer():
        inner()
        raise Trouble

    with pytest.raises(Trouble):
        outer()
    assert counters() == {}


def test_what_is_read_inside_is_what_was_written_inside():
    @unit_of_work
    def use_case():
        save("a")
        return Counter.objects(stream="a").first().seq

    assert use_case() == 1


@pytest.mark.parametrize("command", ["insert", "find"])
def test_begins_again_after_a_transient_error(failing, command):
    attempts = []

    @unit_of_work
    def use_case():
        attempts.append(1)
        Counter.objects(stream="other").first()
        save("a")

    with failing(command, times=2, **TRANSIENT):
        use_case()
    assert (len(attempts), counters()) == (3, {"a": 1})


def test_commits_again_when_the_result_of_the_commit_is_unknown(failing):
    attempts = []

    @unit_of_work
    def use_case():
        attempts.append(1)
        save("a")

    with failing("commitTransaction", times=2, **UNKNOWN_COMMIT):
        use_case()
    assert (len(attempts), counters()) == (1, {"a": 1})


def test_gives_up_in_time_when_the_error_stays(failing, impatient):
    @unit_of_work
    def use_case():
        save("a")

    with failing("insert", times=1_000_000, **TRANSIENT), pytest.raises(PyMongoError):
        use_case()
    assert counters() == {}


def test_the_operator_says_how_long_it_may_take(failing, other_app):
    other_app(mongodb_timeout_ms=3000)

    @unit_of_work
    def use_case():
        save("a")

    began = time.monotonic()
    with failing("insert", times=1_000_000, **TRANSIENT), pytest.raises(PyMongoError):
        use_case()
    assert time.monotonic() - began > 2.5


def test_leaves_nothing_locked_when_its_time_is_spent(failing, impatient):
    @unit_of_work
    def use_case():
        save("a")
        Counter.objects(stream="b").first()

    with failing("find", times=1_000_000, **TRANSIENT), pytest.raises(PyMongoError):
        use_case()
    use_case()  # which would wait for the lock until its own time is spent


def test_does_not_repeat_after_another_error(failing):
    attempts = []

    @unit_of_work
    def use_case():
        attempts.append(1)
        save("a")

    with failing("insert", errorCode=8000), pytest.raises(OperationFailure):  # AtlasError: not one to repeat
        use_case()
    assert len(attempts) == 1


def test_callbacks_run_once_after_the_commit_in_their_order(failing):
    seen = []

    @unit_of_work
    def use_case():
        on_commit(lambda: seen.append(("first", counters())))
        on_commit(lambda: seen.append(("second", None)))
        save("a")

    with failing("insert", times=1, **TRANSIENT):
        use_case()
    assert seen == [("first", {"a": 1}), ("second", None)]


def test_callbacks_of_a_rolled_back_use_case_never_run():
    seen = []

    @unit_of_work
    def use_case():
        on_commit(lambda: seen.append(1))
        raise Trouble

    with pytest.raises(Trouble):
        use_case()
    assert seen == []


def test_a_callback_outside_of_a_transaction_runs_at_once():
    seen = []
    on_commit(lambda: seen.append(1))
    assert seen == [1]


def test_a_change_and_its_event_are_stored_together_or_not_at_all(happened):
    @unit_of_work
    def use_case(fails):
        save("a" if fails else "b")
        record(happened())
        if fails:
            raise Trouble

    with pytest.raises(Trouble):
        use_case(True)
    assert Event.objects.count() == 0
    use_case(False)
    assert [event.seq for event in Event.objects] == [1]


def test_costs_one_command_more_than_what_is_done_in_it(commands):
    @unit_of_work
    def use_case():
        save("a")

    with commands.counted() as sent:
        use_case()
    assert sent == ["insert", "commitTransaction"]
