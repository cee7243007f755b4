"""What RQ does beside calling a job, restricted to what is safe here, and by our clock."""

import sys
from typing import Any

import rq.utils
from rq.job import Job as RqJob

from taskmanager.core.clock import now
from taskmanager.core.security.redaction import redact


class SafeJob(RqJob):
    """An RQ job that ignores the functions and addresses that it names for its end, and keeps no secrets."""

    success_callback = failure_callback = stopped_callback = None

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """Send nothing."""

    def _handle_failure(self, exc_string: str, *args: Any, **options: Any) -> None:
        super()._handle_failure(redact(exc_string), *args, **options)


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
        keep(job, redact(exc_string), *args, **options)

    RqJob._handle_failure = keep_redacted  # type: ignore[method-assign, assignment]


def share_clock() -> None:
    """Let RQ note by our clock until when a job is thought alive: workers and the relay must mean the same time by it.

    RQ has no argument for it. Called by the composition root; safe to repeat.
    """
    rq.utils.now = now
    rq.utils.current_timestamp = lambda: int(now().timestamp())
    for name, module in list(sys.modules.items()):
        if name.startswith("rq."):  # they have taken the two functions over by name
            for function in ("now", "current_timestamp"):
                if hasattr(module, function):
                    setattr(module, function, getattr(rq.utils, function))
