"""The primary is killed while two web processes write: nothing acknowledged is lost.

FAILOVER_KILLS sets how often (1); `make failover` kills five, and bounds how long nothing can be written.
"""

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from pymongo.errors import OperationFailure
from pytest import TempPathFactory

from taskmanager.core.configuration.settings import Settings
from tests.faults.conftest import logged_in, running
from tests.faults.replica_set import Member, ReplicaSet
from tests.faults.stack import Stack, eventually
from tests.faults.web_client import Answer, WebClient

pytestmark = pytest.mark.timeout(1800)

KILLS = int(os.environ.get("FAILOVER_KILLS", "1"))
_IS_CAMPAIGN = "FAILOVER_KILLS" in os.environ
_PAUSE_SECONDS = 0.0 if _IS_CAMPAIGN else 0.05  # of a writer: other tests need the processor, too
_MAX_GAP_SECONDS = 4.0  # with the election time of docs/operations.md
_ELECTION_MS = 2000
_TOKEN = "X-Causal-Token"
_WRITERS = 4  # half of them at each web process
_RECOVERY_SECONDS = 90


def _is_honest(answer: Answer) -> bool:
    """Whether an answer says that the database is away, or that it is unknown yet what became of the first attempt."""
    code = answer.body["code"]
    honest = answer.status == 503 or (answer.status, code) == (409, "idempotency.in_progress")
    return honest and "Retry-After" in answer.headers


@dataclass
class Record:
    """What clients were answered: (moment, status) of writes and reads, and the titles that were acknowledged."""

    writes: list[tuple[float, int]] = field(default_factory=list)
    reads: list[tuple[float, int]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    dishonest: list[Answer] = field(default_factory=list)
    token: str = ""

    def note(self, kind: list[tuple[float, int]], answer: Answer) -> int:
        kind.append((time.monotonic(), answer.status))
        if answer.status not in (200, 201) and not _is_honest(answer):
            self.dishonest.append(answer)
        return answer.status

    def gap(self, since: float) -> tuple[float, float]:
        """The longest time without an acknowledged write, from `since` on."""
        moments = [since, *(moment for moment, status in self.writes if status == 201 and moment >= since)]
        return max(itertools.pairwise(moments), key=lambda pair: pair[1] - pair[0])

    @staticmethod
    def within(kind: list[tuple[float, int]], begin: float, end: float) -> Counter[int]:
        return Counter(status for moment, status in kind if begin < moment < end)


def write(web: WebClient, path: str, record: Record, name: str, done: threading.Event) -> None:
    """Create one task after the other, each until it is acknowledged, under one key."""
    number = 0
    while not done.is_set():
        title = f"{name}-{number}"
        answer = web.send("POST", path, {"title": title}, Idempotency_Key=title)
        if record.note(record.writes, answer) == 201:
            record.acknowledged.append(title)
            record.token = answer.headers[_TOKEN]
            number += 1
            time.sleep(_PAUSE_SECONDS)
        else:
            time.sleep(0.1)


def read(web: WebClient, path: str, record: Record, name: str, done: threading.Event) -> None:
    """Read the list of tasks with a token of some seconds ago, as a page does that renews itself."""
    token, renewed = record.token, 0.0
    while not done.is_set():
        if time.monotonic() > renewed + 2:
            token, renewed = record.token, time.monotonic()
        record.note(record.reads, web.send("GET", f"{path}?limit=1", X_Causal_Token=token))
        time.sleep(0.05)


def titles(web: WebClient, path: str) -> Counter[str]:
    found: Counter[str] = Counter()
    cursor = ""
    while True:
        page = web.get(f"{path}?limit=200&fields=title{cursor}").body
        found.update(task["title"] for task in page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.fixture(scope="module")
def members(tmp_path_factory: TempPathFactory) -> ReplicaSet:
    return ReplicaSet(tmp_path_factory.mktemp("replica-set"), election_ms=_ELECTION_MS)


@pytest.fixture(scope="module")
def stack(members: ReplicaSet, tmp_path_factory: TempPathFactory, settings: Settings):
    folder = tmp_path_factory.mktemp("stack")
    with running(folder, settings, members, replica_reads="lists", ratelimit_default="100000/minute") as stack:
        yield stack


def read_without_primary(members: list[Member]) -> int:
    """Wait until one of the members is elected; how many queries of tasks they have answered until then."""
    begin = latest = found = sum(member.task_queries() for member in members)
    while not any(member.is_primary for member in members):
        time.sleep(_PAUSE_SECONDS)
        latest = found  # counted while none of them was the primary
        found = sum(member.task_queries() for member in members)
        if found > begin:
            hold_elections(members, 0)
    return latest - begin


def hold_elections(members: list[Member], seconds: int) -> None:
    """Let none of the secondaries be elected for so long; 0 ends that."""
    for member in members:
        with member.connect() as client, suppress(OperationFailure):  # one of them is the primary by now
            client.admin.command("replSetFreeze", seconds)


def kill_once(members: ReplicaSet, record: Record) -> tuple[float, int, str]:
    """Kill the primary, wait until writes go on, and start it again; the gap in seconds, reads, a line of the table."""
    members.settled()
    eventually(lambda: record.reads and record.reads[-1][1] == 200, "reads")
    time.sleep(2)
    primary = members.primary
    assert primary
    others = [member for member in members.members if member is not primary]
    if not _IS_CAMPAIGN:  # which measures the gap; here there is time for a read, however busy the machine is
        hold_elections(others, _RECOVERY_SECONDS)
    killed = time.monotonic()
    members.kill(primary)
    count = len(record.acknowledged)
    served = read_without_primary(others)
    eventually(lambda: len(record.acknowledged) > count + 20, "writes after the election", _RECOVERY_SECONDS)
    begin, end = record.gap(killed)
    reads, writes = record.within(record.reads, begin, end), record.within(record.writes, begin, end)
    primary.start(timeout=60)
    line = f"{end - begin:5.2f} s | {writes[503]:4} | {reads[200]:9} | {reads[503]:4} | {served:4}"
    return end - begin, served, line


def running_clients(stack: Stack, web: WebClient, path: str, record: Record) -> Callable[[], None]:
    """Start the writers and a reader at each web process; the result ends them."""
    done = threading.Event()
    others = [web, web.at(stack.url_of("web-2"))]
    jobs = [(write, others[number % 2], f"writer{number}") for number in range(_WRITERS)]
    jobs += [(read, other, "reader") for other in others]
    record.token = web.send("POST", path, {"title": "first"}).headers[_TOKEN]
    threads = [threading.Thread(target=step, args=(who, path, record, name, done)) for step, who, name in jobs]
    for thread in threads:
        thread.start()

    def end() -> None:
        done.set()
        for thread in threads:
            thread.join()

    return end


def test_a_failover_loses_nothing(members: ReplicaSet, stack: Stack, capsys):
    web, record = logged_in(stack, "web-2"), Record()
    project = web.send("POST", "/api/v1/projects", {"key": "KILL", "name": "Kept"}).body["id"]
    path = f"/api/v1/projects/{project}/tasks"
    second = web.at(stack.url_of("web-2"))
    eventually(lambda: answers(second), "the second web process")
    end = running_clients(stack, web, path, record)
    try:
        found = [kill_once(members, record) for _ in range(KILLS)]
    finally:
        end()
    members.settled()
    there = titles(web, path)
    lost = [title for title in record.acknowledged if not there[title]]
    with capsys.disabled():
        print(f"\nelection time {_ELECTION_MS} ms; in the last column what secondaries read meanwhile")
        print("kill |     gap | 503s | reads 200 |  503 | without a primary")
        for number, (_, _, line) in enumerate(found, 1):
            print(f"{number:4} | {line}")
        statuses = Counter(status for _, status in record.writes), Counter(status for _, status in record.reads)
        print(f"writes {dict(statuses[0])}, reads {dict(statuses[1])}, {len(lost)} acknowledged writes lost")
    assert (lost, record.dishonest) == ([], [])
    assert set(there.values()) == {1}  # none twice
    assert all(served for _, served, _ in found)
    if _IS_CAMPAIGN:
        assert max(gap for gap, _, _ in found) <= _MAX_GAP_SECONDS


def answers(web: WebClient) -> bool:
    try:
        return web.get("/health/ready").status == 200
    except OSError:
        return False
