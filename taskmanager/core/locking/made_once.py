"""Objects that a process makes once, such as clients: `functools.cache` lets two first threads each make their own."""

import threading
from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar, TypeVarTuple

A = TypeVarTuple("A")
T = TypeVar("T")


def made_once(make: Callable[[*A], T]) -> Callable[[*A], T]:
    """Keep the result of a function for its positional arguments; while one thread makes it, others wait for it.

    For what owns connections, threads or locks: of a client of redis-py that is made twice, the one that is dropped
    closes connections that are in use.
    """
    made: dict[Hashable, T] = {}
    lock = threading.Lock()

    @wraps(make)
    def find(*arguments: *A) -> T:
        if arguments not in made:
            with lock:
                if arguments not in made:
                    made[arguments] = make(*arguments)
        return made[arguments]

    return find
