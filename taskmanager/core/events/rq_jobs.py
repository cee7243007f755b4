"""Restrictions of RQ: no callbacks of jobs, no secrets in their errors, and the clock of the database."""

import sys
from typing import Any

import rq.utils
from rq.job import Job as RqJob

from taskmanager.core.clock import now
from taskmanager.core.security.redaction import scrub


class SafeJob(RqJob):
    """An RQ job that ignores callbacks and webhooks that its data names, and stores no secrets in its errors."""

    success_callback = failure_callback = stopped_callback = None

    def send_webhooks(self, *_: object, **__: object) -> None:
        """Send nothing."""

    def _handle_failure(self, exc_string: str, *args: Any, **options: Any) -> None:
        super()._handle_failure(scrub(exc_string), *args, **options)


def restrict_plain_rq() -> None:
    """Make every RQ job of this process a safe one. For RQ's own command, which takes no class of jobs from a file.

    Safe to repeat.
    """
    if vars(RqJob)["send_webhooks"] is vars(SafeJob)["send_webhooks"]:
        return
    for name in ("success_callback", "failure_callback", "stopped_callback", "send_webhooks"):
        setattr(RqJob, name, vars(SafeJob)[name])
    keep = RqJob._handle_failure

    def keep_redacted(job: RqJob, exc_string: str, *args: Any, **options: Any) -> None:
        keep(job, scrub(exc_string), *args, **options)

    RqJob._handle_failure = keep_redacted  # type: ignore[method-assign, assignment]


def share_clock() -> None:
    """Let RQ use `core.clock` for the expiry of its heartbeats, which workers write and the relay compares.

    RQ has no argument for it. The composition root calls this; it is safe to repeat.
    """
    rq.utils.now = now
    rq.utils.current_timestamp = lambda: int(now().timestamp())
    for name, module in list(sys.modules.items()):
        if name.startswith("rq."):  # modules of RQ import the two functions by name
            for function in ("now", "current_timestamp"):
                if hasattr(module, function):
                    setattr(module, function, getattr(rq.utils, function))
