"""Three mongods: secondaries answer lists, also when one of them lags or hangs, and all read their own writes."""

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pymongo
import pytest
from pytest import TempPathFactory

from taskmanager.core.configuration.settings import Settings
from tests.faults.conftest import logged_in, running
from tests.faults.replica_set import Member, ReplicaSet
from tests.faults.stack import Stack, eventually, freeze, thaw
from tests.faults.web_client import Answer, WebClient

pytestmark = pytest.mark.timeout(600)

TOKEN = "X-Causal-Token"
_TIMES = 12
_METRICS_TOKEN = "metrics-token-of-the-replica-tests"


@pytest.fixture(scope="module")
def members(tmp_path_factory: TempPathFactory) -> ReplicaSet:
    return ReplicaSet(tmp_path_factory.mktemp("replica-set"), enableTestCommands="1")


@pytest.fixture(scope="module")
def stack(members: ReplicaSet, tmp_path_factory: TempPathFactory, settings: Settings):
    folder = tmp_path_factory.mktemp("stack")
    kinds = "lists,search,statistics"
    limits = {"mongodb_timeout_ms": 6000, "metrics_token": _METRICS_TOKEN, "ratelimit_export": "100/hour"}
    with running(folder, settings, members, replica_reads=kinds, **limits) as stack:
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> WebClient:
    return logged_in(stack)


@pytest.fixture
def project(web: WebClient, members: ReplicaSet) -> str:
    """The path of the tasks of a new project, while all members answer, and the service reads from secondaries."""
    members.settled()
    made = web.send("POST", "/api/v1/projects", {"key": f"P{secrets.randbelow(10**6)}", "name": "Read"})
    path = f"/api/v1/projects/{made.body['id']}/tasks"
    eventually(lambda: is_allowed(web, path, made.headers[TOKEN]), "the end of the rest after the test before")
    return path


def is_allowed(web: WebClient, path: str, token: str) -> bool:
    before = outcomes(web)
    return read(web, path, token).status == 200 and outcomes(web) - before == {"allowed": 1}


def read(web: WebClient, path: str, token: str, **headers: str) -> Answer:
    return web.send("GET", path, **headers, **{TOKEN.replace("-", "_"): token})


def titles(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [task["title"] for task in answer.body["items"]]


def found_by(members: ReplicaSet, project: str, step) -> list[str]:
    """The queries of the tasks of a project that secondaries answered during `step`."""
    project_id = project.split("/")[-2]
    before = still(members, project_id)
    step()
    return [one for one in queries(members, project_id) if one not in before]


def still(members: ReplicaSet, project_id: str) -> list[str]:
    """The queries as soon as none is added: what waited for a member that lagged is answered later."""
    before, found = None, queries(members, project_id)
    while before != found:
        time.sleep(0.5)  # longer than a read that waited takes once its member has caught up
        before, found = found, queries(members, project_id)
    return found


def queries(members: ReplicaSet, project_id: str) -> list[str]:
    """By the profiler of each secondary: counters of MongoDB have those of other processes, too."""
    return [one for member in members.secondaries() for one in member.queries_naming(project_id)]


@contextmanager
def lagging(member: Member) -> Iterator[None]:
    """Let a secondary answer, and apply no writes: it lags by as long as this takes."""
    with member.connect() as client:
        try:
            with pymongo.timeout(None):
                client.admin.command("configureFailPoint", "rsSyncApplyStop", mode="alwaysOn")
            yield
        finally:
            with pymongo.timeout(None):
                client.admin.command("configureFailPoint", "rsSyncApplyStop", mode="off")


def test_the_primary_answers_who_sends_no_token_and_secondaries_who_does(web, members, project):
    made = web.send("POST", project, {"title": "own"})
    assert made.headers[TOKEN]
    assert found_by(members, project, lambda: [titles(web.get(project)) for _ in range(_TIMES)]) == []
    seen = []
    assert found_by(
        members, project, lambda: seen.extend(read(web, project, made.headers[TOKEN]) for _ in range(_TIMES))
    )
    assert {tuple(titles(answer)) for answer in seen} == {("own",)}
    assert all(answer.headers[TOKEN] for answer in seen)
    for path in ("/api/v1/search?q=own", "/api/v1/tasks/stats"):
        answers = [read(web, path, made.headers[TOKEN]) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200], answers


def test_each_reads_their_own_writes_while_a_secondary_lags(web, members, project):
    """Without the token's time in the read, some of these lists would lack the task."""
    with lagging(members.secondaries()[0]):
        for number in range(_TIMES):
            token = web.send("POST", project, {"title": str(number)}).headers[TOKEN]
            assert str(number) in titles(read(web, project, token))
            assert str(number) in titles(web.get(project))


def test_a_repeated_response_has_a_token_of_its_write(web, members, project):
    assert web.send("POST", project, {"title": "first"}).headers[TOKEN]
    with lagging(members.secondaries()[0]):
        for number in range(_TIMES):
            key = secrets.token_hex(8)
            web.send("POST", project, {"title": key}, Idempotency_Key=key)  # whose response is lost
            again = web.send("POST", project, {"title": key}, Idempotency_Key=key)
            assert again.headers["Idempotency-Replayed"] and again.headers[TOKEN], number
            assert key in titles(read(web, project, again.headers[TOKEN]))


def test_a_304_is_never_older_than_the_token(web, members, project):
    """The generation, the page, and the ETag that a process keeps may come from three members."""
    before = read(web, project, web.send("POST", project, {"title": "first"}).headers[TOKEN])
    with lagging(members.secondaries()[0]):
        for number in range(_TIMES):
            token = web.send("POST", project, {"title": str(number)}).headers[TOKEN]
            after = read(web, project, token, If_None_Match=before.headers["ETag"])
            assert str(number) in titles(after)
            again = read(web, project, after.headers[TOKEN], If_None_Match=after.headers["ETag"])
            assert (again.status, bool(again.headers[TOKEN])) == (304, True)
            before = after


def test_the_primary_answers_for_a_secondary_that_hangs(web, members, project):
    token = web.send("POST", project, {"title": "own"}).headers[TOKEN]
    hanging = members.secondaries()[0]
    freeze(hanging)
    try:
        statuses = Counter(read(web, project, token).status for _ in range(_TIMES))
        exports = [str(read(web, "/api/v1/users/me/export", token).body) for _ in range(_TIMES)]
    finally:
        thaw(hanging)
    assert statuses == {200: _TIMES}
    assert all("'own'" in export for export in exports)


def test_a_read_without_own_writes_does_not_wait_for_a_secondary_that_lags(web, members, project):
    """The primary says who sees the task, and is newer than the member: the list below it waits for the token only."""
    made = web.send("POST", project, {"title": "own"})
    members.settled()
    paths = [f"/api/v1/tasks/{made.body['id']}/{part}" for part in ("comments", "activity", "subtasks")]
    with lagging(members.secondaries()[0]):
        web.send("POST", project, {"title": "newer"})

        def none_waits(path: str) -> bool:
            before = outcomes(web)
            statuses = {read(web, path, made.headers[TOKEN]).status for _ in range(_TIMES)}
            return (statuses, outcomes(web) - before) == ({200}, {"allowed": _TIMES})

        for path in [*paths, "/api/v1/search?q=own"]:  # statistics read twice, and the primary answers in their place
            # again when the machine was too busy for an answer of any member
            eventually(lambda path=path: none_waits(path), f"reads of {path} without a wait")


def outcomes(web: WebClient) -> Counter[str]:
    """How many reads of the service were of each outcome."""
    found: Counter[str] = Counter()
    metrics = web.send("GET", "/metrics", Authorization=f"Bearer {_METRICS_TOKEN}").body.decode()
    for line in metrics.splitlines():
        if line.startswith("taskmanager_replica_reads_total{"):
            name, value = line.rsplit(" ", 1)
            found[name.split('outcome="')[1].split('"')[0]] += round(float(value))
    return found


def test_rights_are_never_those_of_a_secondary(web, members, project):
    other = web.another().register()
    member = other.joins(project.split("/")[4], by=web)
    token = web.send("POST", project, {"title": "seen"}).headers[TOKEN]
    assert titles(read(other, project, token)) == ["seen"]
    with lagging(members.secondaries()[0]):
        place = f"{project.removesuffix('/tasks')}/members/{member}"
        tag = web.get(place).headers["ETag"]
        assert web.send("DELETE", place, If_Match=tag).status == 204
        assert {read(other, project, token).status for _ in range(_TIMES)} == {404}


def test_a_token_that_is_not_ours_is_refused(web, project):
    token = web.send("POST", project, {"title": "own"}).headers[TOKEN]
    for forged in (token[:-1], f"A{token}", "x", "", "A" * 300):
        answer = read(web, project, forged)
        assert (answer.status, answer.body["code"]) == (400, "header.causal_token"), forged
    assert read(web, "/api/v1/users/me", "x").status == 200  # it reads nothing that secondaries answer
