"""SIGTERM and SIGINT from the first line of a process on, in every state, also as process 1.

A process 1 ignores a signal that it has no handler for, and a handler of Python waits until the call ends that the
main thread is in, such as one for the name of a host. So a thread is told of the signal by the system itself, and
ends the process when it has not ended by then: what it does is safe to be repeated.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_IDLE_PATIENCE_SECONDS, _BUSY_PATIENCE_SECONDS = 3.0, 75.0  # a job, and what is sent beside it, takes at most a minute
_LOOK_SECONDS = 0.1
_ENDED_BY_SIGTERM = 128 + signal.SIGTERM


def exit_on_sigterm() -> None:
    """End a command at SIGTERM as at Ctrl-C, with its `finally` blocks, unless the signal has a handler."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end_by_signal)


def _end_by_signal(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def exit_on_signals(code: int = _ENDED_BY_SIGTERM) -> None:
    """End the process at the first signal, whatever it does, with its `finally` blocks. For the main thread."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(code)

    for number in _SIGNALS:
        signal.signal(number, end)


def end_in_time(busy: Callable[[], bool] = lambda: False) -> None:
    """End the process by force when it has not ended some seconds after a signal, or after it was `busy` last.

    For the main thread of a process that does not fork.
    """
    heard, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(heard, busy), daemon=True, name="stopping").start()


def _watch(heard: int, busy: Callable[[], bool]) -> None:
    while os.read(heard, 1)[0] not in _SIGNALS:
        pass
    asked = idle_since = now = time.monotonic()
    while now - idle_since < _IDLE_PATIENCE_SECONDS and now - asked < _BUSY_PATIENCE_SECONDS:
        time.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        idle_since = now if busy() else idle_since
    os._exit(_ENDED_BY_SIGTERM)
