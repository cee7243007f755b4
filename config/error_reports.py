"""Reports of unexpected errors to Sentry: what is logged with a traceback, once `TASKMANAGER_SENTRY_DSN` is set.

A report has the traceback without local variables, the message without secrets, and the ids of request and trace. It is
sent by a thread, whose queue is bounded.
"""

import atexit
import logging
from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

from taskmanager import __version__
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured
from taskmanager.core.security.redaction import scrubbed

_TAGS = ("logger", "request_id", "traceparent", "job", "listener", "code")
_END_SECONDS = 1


class _Reporting:
    """The library of Sentry; None while no errors are reported."""

    library: Any = None


def begin(settings: Settings) -> None:
    """Report errors from now on, when the settings say where. Raises Misconfigured when the package is missing."""
    dsn = settings.sentry_dsn.get_secret_value()
    if not dsn:
        _Reporting.library = None
        return
    try:
        _Reporting.library = import_module("sentry_sdk")
    except ModuleNotFoundError:
        raise Misconfigured("TASKMANAGER_SENTRY_DSN needs the package of taskmanager-backend[sentry]") from None
    _Reporting.library.init(
        dsn,
        release=__version__,
        environment=settings.environment,
        default_integrations=False,  # they would send headers, arguments and names of machines
        auto_enabling_integrations=False,
        include_local_variables=False,
        send_default_pii=False,
        server_name="",
        before_send=lambda event, _: scrubbed(event),
        shutdown_timeout=_END_SECONDS,
    )
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it has a line for each attempt
    atexit.register(_Reporting.library.flush, _END_SECONDS)


def report(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Report an event of the log that has an exception; it is logged all the same."""
    if _Reporting.library is not None and event.get("exc_info"):
        with _Reporting.library.new_scope() as scope:
            for name in _TAGS:
                if name in event:
                    scope.set_tag(name, str(event[name]))
            scope.set_extra("message", str(event.get("event", "")))
            info = event["exc_info"]
            _Reporting.library.capture_exception(info if isinstance(info, tuple | BaseException) else None)
    return event
