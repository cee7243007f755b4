"""The threads of a web process: so many work at the same time, and further ones wait for slow clients."""

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class _Own(threading.local):
    """Whether this thread has a slot."""

    held = False


class WorkThreads:
    """Threads that run jobs, and slots: the right to work, which a thread gives back while it waits for a client.

    Jobs wait for a slot in a queue, and a thread that ends a job runs the next one. If threads waited for slots, each
    request would cost ten switches between threads more, at four times as many connections as slots.
    """

    def __init__(self, slots: int, threads: int) -> None:
        """Take the largest number of threads. Each is made when it is needed, and ends with the process."""
        self._free, self._most, self._number, self._idle = slots, threads, 0, 0
        self._lock = threading.Lock()
        self._probes: deque[Job] = deque()  # need no slot, and wait for a thread
        self._waiting: deque[Job | threading.Lock] = deque()  # for a slot: jobs, and threads without theirs
        self._given: SimpleQueue[tuple[Job, bool]] = SimpleQueue()  # to idle threads
        self._own = _Own()

    def submit(self, job: Job, is_probe: Callable[[], bool] = lambda: False) -> None:
        """Let a thread run the job, in the order of the calls; a probe that would wait needs no slot.

        A job must not raise.
        """
        with self._lock:
            would_wait = self._free <= 0 or self._waiting
            (self._probes if would_wait and is_probe() else self._waiting).append(job)
            self._give()

    def without_thread(self) -> int:
        """Return how many jobs could run, and do not because all threads wait for their clients."""
        with self._lock:
            return len(self._probes) + (len(self._waiting) if self._free > 0 else 0)

    def give_back(self) -> bool:
        """Give this thread's slot to others, before it waits. Returns whether it had one."""
        if not self._own.held:
            return False
        self._own.held = False
        with self._lock:
            self._free += 1
            self._give()
        return True

    def take_again(self) -> float:
        """Wait for a slot, behind the jobs that wait already. Returns the seconds of the wait."""
        begun, turn = time.monotonic(), threading.Lock()
        turn.acquire()
        with self._lock:
            self._waiting.append(turn)
            self._give()
        turn.acquire()
        self._own.held = True
        return time.monotonic() - begun

    def shutdown(self, *, wait: bool = False) -> None:
        """Do nothing, for gunicorn, which calls it in a handler of signals: the threads end with the process."""

    def _give(self) -> None:
        """Give slots and threads to those that wait, in their order. The lock is held here and below."""
        while self._idle or self._number < self._most:
            if (found := self._next()) is None:
                return
            if not self._start(*found):
                break
        turns = [each for each in self._waiting if not callable(each)] if self._free > 0 else []
        for turn in turns[: self._free]:  # without a thread for the jobs: the threads that go on make one free
            self._waiting.remove(turn)
            self._free -= 1
            turn.release()

    def _next(self) -> tuple[Job, bool] | None:
        """Return the next job that a thread can run, and whether it has taken a slot for it."""
        if self._probes:
            return self._probes.popleft(), False
        while self._waiting and self._free > 0:
            self._free -= 1
            first = self._waiting.popleft()
            if callable(first):
                return first, True
            first.release()
        return None

    def _start(self, job: Job, with_slot: bool) -> bool:
        """Give a job to a thread; return False, and let it wait, when the system has no thread for it.

        Raises RuntimeError when the process has none at all.
        """
        if self._idle:
            self._idle -= 1
            self._given.put((job, with_slot))
            return True
        name = f"work-{self._number + 1}"
        try:
            threading.Thread(target=self._work, args=(job, with_slot), name=name, daemon=True).start()
        except RuntimeError:
            if self._number == 0:
                raise
            self._free += with_slot
            (self._waiting if with_slot else self._probes).appendleft(job)
            return False
        self._number += 1
        return True

    def _work(self, job: Job, with_slot: bool) -> None:
        while True:
            self._own.held = with_slot
            job()
            with self._lock:
                self._free += self._own.held
                found = self._next()
                self._idle += found is None
            job, with_slot = found or self._given.get()
