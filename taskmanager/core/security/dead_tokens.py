"""Tokens that were found dead, kept for some seconds, so that a flood of them does not ask the database each time.

A token is dead as of a version of its account's rights (`core.access`). When the version rises, it is looked up again:
an account that is activated again need not wait.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable

_SECONDS = 10.0  # as long as the cache store is believed
_MAX_KEPT = 10_000


class DeadTokens:
    """What this process found of tokens: {token: (version, until when)}, the latest last."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, tuple[int | None, float]] = OrderedDict()

    def has(self, token: Hashable, version: int | None) -> bool:
        """Return whether the token is known to be dead as of `version`; None stands for a version that is not known."""
        known, until = self._found.get(token, (None, 0.0))
        return time.monotonic() < until and version in (None, known)

    def add(self, token: Hashable, version: int | None) -> None:
        """Keep that a token is dead as of a version; None where the account is gone."""
        self._found[token] = version, time.monotonic() + _SECONDS
        if len(self._found) > _MAX_KEPT:
            self._found.popitem(last=False)


dead_tokens = DeadTokens()
