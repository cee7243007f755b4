"""Deadlines for whole conversations. Libraries bound only each read: a peer that sends slowly would never time out."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")

_REPEAT_SECONDS = 0.5


@contextmanager
def deadline(seconds: float, cut: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `cut`, which ends the conversation, from another thread unless the block ends in time.

    Yields an Event that is set when that has happened, because some libraries report no error for it.
    """
    over, done, one_at_a_time = threading.Event(), threading.Event(), threading.Lock()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            over.set()
            wait = _REPEAT_SECONDS  # repeat, because the conversation may not have connected yet
            with one_at_a_time, suppress(OSError, AttributeError):  # it has already ended, or has not begun
                if not done.is_set():  # never cut a later conversation
                    cut()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield over
    finally:
        with one_at_a_time:
            done.set()


def within(seconds: float, function: Callable[[], T]) -> T:
    """Return the result of `function`, which has no timeout and cannot be cut: it runs in a thread, which is abandoned.

    Raises what `function` raises, and TimeoutError after `seconds`.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError("no response in time")
    return results[0]
