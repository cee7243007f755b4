"""How many heaps the C library keeps for the threads of a process."""

import ctypes
import os

_ARENA_MAX = -8  # M_ARENA_MAX of glibc


def keep_one_heap() -> None:
    """Let all threads share a heap, unless the environment says how many there are; to call before there are threads.

    glibc gives threads heaps of their own, so that they need not wait for each other, and each keeps what its largest
    request needed. Only one thread runs Python at a time. Does nothing with another C library.
    """
    if "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_ARENA_MAX, 1)
