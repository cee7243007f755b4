"""An end for conversations whose library bounds only each step: a peer that drips bytes would hold them for ever."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")

_AGAIN_SECONDS = 0.5


@contextmanager
def deadline(seconds: float, cut: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `cut`, which ends the conversation, from another thread unless the body is done in time.

    What is yielded is set when that has happened: some libraries take the end for a regular one.
    """
    over, done, one_at_a_time = threading.Event(), threading.Event(), threading.Lock()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            over.set()
            wait = _AGAIN_SECONDS  # again and again, because it may only be about to connect
            with one_at_a_time, suppress(OSError, AttributeError):  # it has ended by itself, or has not begun
                if not done.is_set():  # never a conversation that came after this one
                    cut()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield over
    finally:
        with one_at_a_time:
            done.set()


def within(seconds: float, function: Callable[[], T]) -> T:
    """Return what `function` answers, for what knows no bound and cannot be cut: a thread that is not waited for
    longer.

    Raises what it raises, TimeoutError when it takes longer.
    """
    answers: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(function())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError("no answer in time")
    return answers[0]
