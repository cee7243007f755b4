"""A cache of invalid tokens, for some seconds, so that many requests with them do not each query the database.

A token is invalid as of a version of its account's rights (`core.security.access`). When the version rises, the token
is looked up again: an account that is activated again need not wait.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

_SECONDS = 10.0  # as long as an entry of the cache store is valid
_MAX_KEPT = 10_000


class DeadTokens:
    """The invalid tokens that this process has found: {token: (version, end of the entry)}, the latest last."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, tuple[int | None, float]] = OrderedDict()
        self._lock = Lock()  # of those that change it

    def has(self, token: Hashable, version: int | None) -> bool:
        """Return whether the token is known to be invalid as of `version`; None means an unknown version."""
        known, until = self._found.get(token, (None, 0.0))
        return time.monotonic() < until and version in (None, known)

    def add(self, token: Hashable, version: int | None) -> None:
        """Store that a token is invalid as of a version; None when the account does not exist."""
        with self._lock:
            self._found[token] = version, time.monotonic() + _SECONDS
            if len(self._found) > _MAX_KEPT:
                self._found.popitem(last=False)


dead_tokens = DeadTokens()
