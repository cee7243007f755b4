"""An end for conversations whose library bounds only each step: a peer that drips bytes would hold them for ever."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_AGAIN_SECONDS = 0.5


@contextmanager
def deadline(seconds: float, cut: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `cut`, which ends the conversation, from another thread unless the body is done in time.

    What is yielded is set when that has happened: some libraries take the end for a regular one.
    """
    over, done = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(seconds):
            return
        over.set()
        while True:  # again and again, because it may only be about to connect
            with suppress(OSError, AttributeError):  # it has ended by itself, or has not begun
                cut()
            if done.wait(_AGAIN_SECONDS):
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield over
    finally:
        done.set()
