"""RQ goes by our clock: it notes until when a job is thought alive, and all must mean the same time by it."""

import sys

from taskmanager.core.clock import now

_FUNCTIONS = {"now": now, "current_timestamp": lambda: int(now().timestamp())}


def share() -> None:
    """Let all of RQ, loaded or not, ask `clock.now` for the time."""
    for name, module in list(sys.modules.items()):
        if name.startswith("rq."):  # most have taken the functions over from `rq.utils` by name
            for function, ours in _FUNCTIONS.items():
                if hasattr(module, function):
                    setattr(module, function, ours)
