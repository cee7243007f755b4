"""Threads of a web process: jobs run in their order, never more than slots at a time; waits for clients stop none."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from workers.work_threads import WorkThreads

PATIENCE = 60


class Jobs:
    """Jobs of which each ends when it is told to; keeps what happened, in its order."""

    def __init__(self, slots: int, threads: int) -> None:
        self.threads = WorkThreads(slots, threads)
        self.begun: list[str] = []
        self.used: set[int] = set()
        self._changed = threading.Condition()
        self._may_end: set[str] = set()
        self._may_return: set[str] = set()
        self._done: dict[str, Future[None]] = {}

    def submit(self, *names: str) -> None:
        """Submit a job for each name.

        One whose name begins with "client" gives its slot back, and takes it again; one with "probe" is a probe.
        """
        for name in names:
            self._done[name] = Future()
            self.threads.submit(lambda name=name: self._run(name), lambda name=name: name.startswith("probe"))

    @property
    def are_slots_taken(self) -> bool:
        return self.threads._free == 0

    def end(self, *names: str) -> None:
        """Let jobs end, and wait for that."""
        self._allow(self._may_end, *names)
        for name in names:
            self._done[name].result(PATIENCE)

    def client_goes_on(self, *names: str) -> None:
        """Let jobs wait for a slot again, since their clients have done what they waited for."""
        self._allow(self._may_return, *names)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), self.begun

    def settled(self) -> list[str]:
        """Return what has begun, also a moment later."""
        time.sleep(0.05)  # nothing tells that no job begins: it would have begun by then
        return list(self.begun)

    def _allow(self, allowed: set[str], *names: str) -> None:
        with self._changed:
            allowed.update(names)
            self._changed.notify_all()

    def _run(self, name: str) -> None:
        self._note(name)
        if name.startswith("client"):
            self._note(f"{name} waits")
            assert self.threads.give_back()
            self.wait_for(lambda: name in self._may_return)
            self.threads.take_again()
            self._note(f"{name} returns")
        self.wait_for(lambda: name in self._may_end)
        self._done[name].set_result(None)

    def _note(self, what: str) -> None:
        with self._changed:
            self.begun.append(what)
            self.used.add(threading.get_ident())
            self._changed.notify_all()


def test_jobs_wait_for_slots_in_their_order():
    jobs = Jobs(slots=2, threads=5)
    jobs.submit("a", "b", "c", "d", "e")
    jobs.wait_for(lambda: len(jobs.begun) >= 2)
    assert set(jobs.settled()) == {"a", "b"} and jobs.are_slots_taken
    jobs.end("b")
    jobs.wait_for(lambda: len(jobs.begun) >= 3)
    jobs.end("a")
    jobs.wait_for(lambda: len(jobs.begun) >= 4)
    assert jobs.settled()[2:] == ["c", "d"]
    jobs.end("c", "d", "e")
    assert jobs.begun[-1] == "e" and len(jobs.used) == 2


def test_a_thread_that_waits_for_its_client_gives_its_slot_to_another():
    jobs = Jobs(slots=1, threads=2)
    jobs.submit("client", "next", "last")
    jobs.wait_for(lambda: "next" in jobs.begun)
    jobs.client_goes_on("client")
    assert "client returns" not in jobs.settled()
    jobs.end("next")
    jobs.wait_for(lambda: "last" in jobs.begun)
    assert "client returns" not in jobs.settled()  # the job waited first
    jobs.end("last")
    jobs.end("client")
    assert jobs.begun == ["client", "client waits", "next", "last", "client returns"]


def test_a_thread_whose_client_goes_on_is_before_later_jobs():
    jobs = Jobs(slots=1, threads=2)
    jobs.submit("client", "next")
    jobs.wait_for(lambda: "next" in jobs.begun)
    jobs.client_goes_on("client")
    jobs.settled()  # by then it waits
    jobs.submit("late")
    jobs.end("next")
    jobs.end("client")
    jobs.end("late")
    assert jobs.begun[-2:] == ["client returns", "late"]


def test_threads_that_all_wait_for_clients_go_on_before_jobs_that_have_no_thread():
    jobs = Jobs(slots=2, threads=4)
    clients = [f"client {number}" for number in range(4)]
    jobs.submit(*clients)
    jobs.wait_for(lambda: sum("waits" in each for each in jobs.begun) == 4)
    jobs.submit("a", "b", "c")
    assert len(jobs.settled()) == 8 and jobs.threads.without_thread() == 3 and not jobs.are_slots_taken
    jobs.client_goes_on(*clients[:3])
    jobs.wait_for(lambda: sum("returns" in each for each in jobs.begun) == 2)
    assert jobs.threads.without_thread() == 0  # they wait for a slot
    jobs.end(*clients[:3], "a", "b", "c")
    jobs.client_goes_on(clients[3])
    jobs.end(clients[3])


def test_jobs_without_a_slot_run_while_all_slots_hang():
    jobs = Jobs(slots=2, threads=4)
    jobs.submit("a", "b", "c")
    jobs.submit("probe", "probe 2")
    jobs.end("probe", "probe 2")
    assert "c" not in jobs.settled()
    jobs.end("a", "b", "c")


def test_a_job_without_a_slot_gets_the_first_thread_that_ends_a_job():
    jobs = Jobs(slots=1, threads=1)
    jobs.submit("a", "b")
    jobs.submit("probe")
    assert jobs.threads.without_thread() == 1
    jobs.end("a")
    jobs.wait_for(lambda: len(jobs.begun) > 1)
    assert jobs.begun[1] == "probe"
    jobs.end("probe")
    jobs.end("b")


def test_a_job_without_a_slot_gives_none_back():
    jobs = Jobs(slots=1, threads=3)
    given = []
    jobs.submit("a", "b")
    ended = Future[None]()
    jobs.threads.submit(lambda: (given.append(jobs.threads.give_back()), ended.set_result(None)), lambda: True)
    ended.result(PATIENCE)
    assert given == [False] and jobs.settled() == ["a"]
    jobs.end("a", "b")


def test_a_thread_that_the_system_refuses_costs_no_job_and_no_slot(monkeypatch):
    jobs = Jobs(slots=2, threads=4)
    jobs.submit("a")
    jobs.wait_for(lambda: jobs.begun == ["a"])

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        jobs.submit("b", "c")
        assert jobs.settled() == ["a"] and jobs.threads.without_thread() == 2
        jobs.end("a")
        jobs.wait_for(lambda: jobs.begun == ["a", "b"])
    jobs.submit("d")
    jobs.wait_for(lambda: jobs.begun == ["a", "b", "c"])
    assert jobs.are_slots_taken
    jobs.end("b", "c", "d")
    jobs.wait_for(lambda: jobs.threads._free == 2)


def test_threads_are_made_when_they_are_needed_and_used_again():
    jobs = Jobs(slots=8, threads=72)
    for number in range(100):
        jobs.submit(str(number))
        jobs.end(str(number))
        jobs.wait_for(lambda: not jobs.are_slots_taken)
    assert len(jobs.used) <= 2


def test_any_mix_keeps_the_slots():
    """Many jobs that wait for clients at random, some without a slot: never too many work, and all end."""
    slots, working, most, lock = 3, 0, 0, threading.Lock()
    threads = WorkThreads(slots, 7)
    done = [Future[None]() for _ in range(3_000)]

    def change(by: int) -> None:
        nonlocal working, most
        with lock:
            working += by
            most = max(most, working)

    def work(number: int, counts: bool) -> None:
        chance = random.Random(number)
        try:
            for _ in range(chance.randrange(4)):
                change(counts)
                time.sleep(chance.choice((0, 0, 0.0005)))  # work of some length, so that threads meet
                change(-counts)
                if threads.give_back():
                    time.sleep(chance.choice((0, 0, 0.0005)))  # the wait for a client
                    threads.take_again()
            done[number].set_result(None)
        except BaseException as error:
            done[number].set_exception(error)

    for number in range(len(done)):
        is_probe = number % 5 == 0
        threads.submit(lambda number=number, counts=not is_probe: work(number, counts), lambda found=is_probe: found)
    for each in done:
        each.result(PATIENCE)
    assert 1 < most <= slots
    # All slots are there again, and no more.
    jobs = Jobs(slots, 7)
    jobs.threads = threads
    jobs.submit("a", "b", "c", "d")
    jobs.wait_for(lambda: len(jobs.begun) >= slots)
    assert len(jobs.settled()) == slots
    jobs.end("a", "b", "c", "d")
    assert threads.without_thread() == 0
