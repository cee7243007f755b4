"""What RQ does beside calling a job, in any kind of RQ worker: restricted to what is safe here, and by our clock."""

import sys
from typing import Any

import rq.utils
from rq.job import Job

from taskmanager.core.clock import now
from taskmanager.core.security.redaction import redact


def restrict() -> None:
    """Ignore what a job names for its end, keep tracebacks without secrets, and use our clock. Safe to repeat."""
    for end in ("success_callback", "failure_callback", "stopped_callback"):  # functions that RQ would call
        setattr(Job, end, None)
    Job.send_webhooks = lambda *_, **__: None  # type: ignore[method-assign]
    Job._handle_failure = _keep_redacted  # type: ignore[method-assign, assignment]
    _share_clock()


_keep = Job._handle_failure


def _keep_redacted(job: Job, exc_string: str, *args: Any, **options: Any) -> None:
    _keep(job, redact(exc_string), *args, **options)


def _share_clock() -> None:
    """RQ notes until when a job is thought alive; workers and the relay must mean the same time by it."""
    rq.utils.now = now
    rq.utils.current_timestamp = lambda: int(now().timestamp())
    for name, module in list(sys.modules.items()):
        if name.startswith("rq."):  # they have taken the two functions over by name
            for function in ("now", "current_timestamp"):
                if hasattr(module, function):
                    setattr(module, function, getattr(rq.utils, function))
