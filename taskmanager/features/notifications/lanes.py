"""Sending beside a worker's jobs, so that receivers which hang hold up no others.

A worker that lives on opens lanes: for each channel so many threads, each of which sends one message at a time. Where
none are open, as in RQ's own worker, whose processes end with their job, a message is sent within the job.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Semaphore

import structlog

log = structlog.get_logger("taskmanager.lanes")

_PATIENCE_SECONDS = 0.5


class _Lanes:
    """Those of one channel."""

    def __init__(self, name: str, number: int) -> None:
        self._free, self._stuck = Semaphore(number), False
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=name)

    def run(self, work: Callable[[], None]) -> bool:
        """Begin `work` in one of them; False when none comes free. It is waited for once, until one has come free."""
        if not self._free.acquire(timeout=0 if self._stuck else _PATIENCE_SECONDS):
            self._stuck = True
            return False
        self._pool.submit(copy_context().run, self._in_lane, work)
        return True

    def close(self) -> None:
        """Wait for what is under way."""
        self._pool.shutdown()

    def _in_lane(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # nobody else would see it; what it was about is taken up again when its claim ends
            log.exception("sending failed")
        finally:
            self._stuck = False
            self._free.release()


_open: dict[str, _Lanes] | None = None


@contextmanager
def opened() -> Iterator[None]:
    """Send beside the jobs within this block; at its end what is under way is waited for."""
    global _open
    _open = {}
    try:
        yield
    finally:
        lanes, _open = _open, None
        for each in lanes.values():
            each.close()


def run(name: str, number: int, work: Callable[[], None]) -> bool:
    """Begin `work` in one of the `number` lanes of a channel, or do it now where there are none.

    False when all lanes are taken, by messages that take their time: it is to be tried later.
    """
    if _open is None or not number:
        work()
        return True
    if name not in _open:
        _open[name] = _Lanes(name, number)
    return _open[name].run(work)
