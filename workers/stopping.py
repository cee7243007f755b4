"""Handling of SIGTERM and SIGINT from the first line of a process, in every state, also as process 1.

A process 1 ignores a signal that it has no handler for. A handler of Python runs only after the present call of the
main thread, such as a DNS lookup, has returned. So the system notifies a thread of the signal by a pipe, and the thread
ends the process when it has not ended in time; the work of processes is safe to repeat.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_IDLE_PATIENCE_SECONDS, _BUSY_PATIENCE_SECONDS = 3.0, 75.0  # a job, or a delivery, takes at most a minute
_LOOK_SECONDS = 0.1
_ENDED_BY_SIGTERM = 128 + signal.SIGTERM


def exit_on_sigterm() -> None:
    """End a command at SIGTERM as at Ctrl-C, with its `finally` blocks, unless the signal has a handler."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end_by_signal)


def _end_by_signal(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def exit_on_signals(code: int = _ENDED_BY_SIGTERM) -> None:
    """End the process at the first signal, with its `finally` blocks. For the main thread."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(code)

    for number in _SIGNALS:
        signal.signal(number, end)
    ignore_sigusr1()


def ignore_sigusr1() -> None:
    """Ignore SIGUSR1, which would end the process, unless it has a handler: it may reach all processes of a unit."""
    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def end_in_time(busy: Callable[[], bool] = lambda: False) -> None:
    """After a signal, end the process by force 3 s after it was last `busy`, and after 75 s in any case.

    For the main thread of a process that does not fork.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, busy), daemon=True, name="stopping").start()


def _watch(reader: int, busy: Callable[[], bool]) -> None:
    while os.read(reader, 1)[0] not in _SIGNALS:
        pass
    signalled = idle_since = now = time.monotonic()
    while now - idle_since < _IDLE_PATIENCE_SECONDS and now - signalled < _BUSY_PATIENCE_SECONDS:
        time.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        idle_since = now if busy() else idle_since
    os._exit(_ENDED_BY_SIGTERM)
