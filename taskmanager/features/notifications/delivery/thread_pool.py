"""Sending beside a worker's jobs, so that receivers which hang, or are slow, hold up no others.

A worker that lives on opens lanes: for each channel so many threads, each of which sends one message at a time. Where
none are open, as in RQ's own worker, whose processes end with their job, a message is sent within the job.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Lock, Semaphore

import structlog

log = structlog.get_logger("taskmanager.lanes")

# A worker waits for free lanes of a channel half a second at once, and in the long run a tenth of its time.
_MAX_PATIENCE_SECONDS, _PATIENCE_REGAINED = 0.5, 0.1


class _ChannelThreadPool:
    """The threads of one channel. `run` is called by the worker's main thread only."""

    def __init__(self, name: str, number: int) -> None:
        self._free = Semaphore(number)
        self.begun, self.ended, self._counting = 0, 0, Lock()
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=name)
        self._patience, self._asked = _MAX_PATIENCE_SECONDS, time.monotonic()

    def run(self, work: Callable[[], None]) -> bool:
        """Begin `work` in one of them; False when none comes free while the worker's patience lasts."""
        if not self._taken():
            return False
        try:
            self._pool.submit(copy_context().run, self._run_in_thread, work)
        except BaseException:
            self._free.release()
            raise
        self.begun += 1
        return True

    def close(self) -> None:
        """Wait for what is under way."""
        self._pool.shutdown()

    def _taken(self) -> bool:
        moment = time.monotonic()
        regained = (moment - self._asked) * _PATIENCE_REGAINED
        self._patience = min(_MAX_PATIENCE_SECONDS, self._patience + regained)
        taken = self._free.acquire(timeout=max(0.0, self._patience))
        self._asked = time.monotonic()
        self._patience -= self._asked - moment
        return taken

    def _run_in_thread(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # it would not be seen otherwise; what it was about is taken up again when its claim ends
            log.exception("sending failed")
        finally:
            with self._counting:
                self.ended += 1
            self._free.release()


_open: dict[str, _ChannelThreadPool] | None = None


@contextmanager
def opened() -> Iterator[None]:
    """Send beside the jobs within this block; at its end what is under way is waited for."""
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
    """Return whether something is being sent beside the jobs. Called from another thread than `run`."""
    return any(each.begun > each.ended for each in list((_open or {}).values()))


def run(name: str, number: int, work: Callable[[], None]) -> bool:
    """Begin `work` in one of the `number` lanes of a channel, or do it now where there are none.

    False when all lanes are taken, by messages that take their time: it is to be tried later.
    """
    if _open is None or not number:
        work()
        return True
    if name not in _open:
        _open[name] = _ChannelThreadPool(name, number)
    return _open[name].run(work)
