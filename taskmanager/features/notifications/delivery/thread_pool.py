"""A thread pool for each channel, which sends messages beside a worker's jobs: slow receivers delay no others.

A worker opens the pools for its lifetime (`opened`); each thread sends one message at a time. Where no pools are open,
as in RQ's own worker, whose processes end with their job, a message is sent within the job.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Lock, Semaphore

import structlog

log = structlog.get_logger("taskmanager.channel_threads")

# The main thread waits for a free thread of a channel at most half a second, and on average a tenth of its time.
_MAX_WAIT_SECONDS, _WAIT_SHARE = 0.5, 0.1


class _ChannelThreadPool:
    """The threads of one channel. Only the worker's main thread calls `run`."""

    def __init__(self, name: str, number: int) -> None:
        self._free = Semaphore(number)
        self.begun, self.ended, self._counting = 0, 0, Lock()
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=name)
        self._wait_budget, self._waited_at = _MAX_WAIT_SECONDS, time.monotonic()

    def run(self, work: Callable[[], None]) -> bool:
        """Start `work` in a thread; return False when none becomes free within the wait budget."""
        if not self._acquire():
            return False
        try:
            self._pool.submit(copy_context().run, self._run_in_thread, work)
        except BaseException:
            self._free.release()
            raise
        self.begun += 1
        return True

    def close(self) -> None:
        """Wait for the messages in flight."""
        self._pool.shutdown()

    def _acquire(self) -> bool:
        moment = time.monotonic()
        regained = (moment - self._waited_at) * _WAIT_SHARE
        self._wait_budget = min(_MAX_WAIT_SECONDS, self._wait_budget + regained)
        acquired = self._free.acquire(timeout=max(0.0, self._wait_budget))
        self._waited_at = time.monotonic()
        self._wait_budget -= self._waited_at - moment
        return acquired

    def _run_in_thread(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # else it would be lost in the thread; the delivery is dispatched again when its claim ends
            log.exception("sending failed")
        finally:
            with self._counting:
                self.ended += 1
            self._free.release()


_open: dict[str, _ChannelThreadPool] | None = None


@contextmanager
def opened() -> Iterator[None]:
    """Open the pools within this block; its end waits for the messages in flight."""
    global _open
    _open = {}
    try:
        yield
    finally:
        try:
            for each in _open.values():
                each.close()
        finally:
            _open = None


def is_busy() -> bool:
    """Return whether a message is in flight beside the jobs. Safe to call from any thread."""
    return any(each.begun > each.ended for each in list((_open or {}).values()))


def run(name: str, number: int, work: Callable[[], None]) -> bool:
    """Start `work` in one of the `number` threads of a channel, or do it now where no pools are open.

    Return False when all threads are busy: the caller retries later.
    """
    if _open is None or not number:
        work()
        return True
    if name not in _open:
        _open[name] = _ChannelThreadPool(name, number)
    return _open[name].run(work)
