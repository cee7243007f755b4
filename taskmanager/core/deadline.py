"""An end for conversations whose library bounds only each step: a peer that drips bytes would hold them for ever."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def deadline(seconds: float, cut: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `cut`, which ends the conversation, from another thread unless the body is done in time.

    What is yielded is set when that has happened: some libraries take the end for a regular one.
    """
    over = threading.Event()

    def end() -> None:
        over.set()
        with suppress(OSError, AttributeError):  # it has ended by itself, or has not begun
            cut()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
