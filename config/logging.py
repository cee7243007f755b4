"""Structured logs: one JSON object per line, also for the logs of libraries."""

import json
import logging
import sys
import threading
from typing import Any

import orjson
import structlog
from structlog.typing import Processor

from config import error_reports, log_fields, log_levels, log_output
from config.log_lines import quick_line
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.configuration.telemetry_settings import parse_levels
from taskmanager.core.errors import Misconfigured
from taskmanager.core.security.redaction import scrub, scrubbed


class LineHandler(logging.Handler):
    """Writes the records of libraries."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as a line."""
        try:
            log_output.write(_as_line(None, "", self.format(record)))
        except Exception:
            self.handleError(record)


class LineLogger:
    """Writes each event, which is a line already. structlog calls the method of the level."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: bytes) -> None:
        """Write a line at once."""
        log_output.write(line)

    debug = info = warning = error = critical = msg


def configure(settings: Settings) -> None:
    """Configure structlog and the standard library's logging, so that both write the same lines.

    structlog's events do not pass through the standard library, which takes several times as long as the rest of a
    line. Raises Misconfigured for a log file that cannot be opened, and when packages are missing.
    """
    _choose_output(settings)
    error_reports.begin(settings)
    log_levels.use(settings.log_level, parse_levels(settings.log_levels))
    render = thorough(settings.log_format)
    if settings.log_format == "ecs":
        render = _quick_or(render)
    structlog.configure(
        processors=[log_levels.drop_below_level, render],
        logger_factory=LineLogger,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_handler(settings.log_format)], force=True)
    log_levels.use(settings.log_level, parse_levels(settings.log_levels))
    _redact_other_outputs()


def thorough(log_format: str) -> Processor:
    """Return a processor that makes the line of an event of any kind, by all steps one after the other."""
    steps = [*_SHARED, *_last(log_format), _as_line]

    def render(logger: Any, method: str, event: Any) -> Any:
        for step in steps:
            event = step(logger, method, event)
        return event

    return render


def _quick_or(otherwise: Processor) -> Processor:
    """Return a processor that makes the line of most events in one step, and of the rest by `otherwise`."""
    return lambda logger, method, event: quick_line(logger, method, event) or otherwise(logger, method, event)


def _last(log_format: str) -> list[Processor]:
    """Return the last processors of our events and of the records of libraries."""
    return [
        error_reports.report,
        structlog.processors.format_exc_info,  # without local variables, which contain secrets
        _redact,
        structlog.processors.TimeStamper(fmt="iso", utc=True),  # after the redaction, which it needs not
        *_FORMATS[log_format],
    ]


def _choose_output(settings: Settings) -> None:
    try:
        log_output.use(settings.log_file, settings.log_file_bytes, settings.log_files, settings.log_file_days)
    except OSError as error:
        raise Misconfigured(f"TASKMANAGER_LOG_FILE cannot be opened: {error.strerror}") from None


def _handler(log_format: str) -> logging.Handler:
    """Return the handler for the logs of libraries."""
    handler = LineHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, log_fields.rq_fields],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(log_format)],
        )
    )
    handler.addFilter(log_fields.RqSentences())
    return handler


def _as_json(_logger: Any, _method: str, event: Any) -> str:
    return _dumps(event)


def _as_line(_logger: Any, _method: str, text: Any) -> bytes:
    return str(text).encode("utf-8", "backslashreplace") + b"\n"


def _hide_secrets(_logger: Any, _method: str, event: Any) -> Any:
    for key in event:
        if log_fields.is_secret(key):
            event[key] = log_fields.HIDDEN
    return event


# the first processors of our events and of the records of libraries
_SHARED: tuple[Processor, ...] = (
    log_fields.correlate,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    _hide_secrets,
)
_FORMATS: dict[str, tuple[Processor, ...]] = {
    "ecs": (log_fields.to_ecs, _as_json),
    "json": (_as_json,),
    "console": (structlog.dev.ConsoleRenderer(colors=False),),
}


def _redact_other_outputs() -> None:
    for other in logging.getLogger("gunicorn.error").handlers:
        other.setFormatter(_Redacting("%(asctime)s [%(process)d] [%(levelname)s] %(message)s"))
    sys.excepthook = _uncaught
    threading.excepthook = lambda hook: _uncaught(hook.exc_type, hook.exc_value, hook.exc_traceback)


class _Redacting(logging.Formatter):
    """A formatter for gunicorn's own log, with redacted secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def _uncaught(kind: type[BaseException], error: BaseException | None, traceback: Any) -> None:
    """Log an uncaught exception of a process or a thread, with secrets redacted; Python would print it unchanged."""
    if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        structlog.get_logger("taskmanager").critical("uncaught", exc_info=(kind, error, traceback))


def _redact(_logger: Any, _method: str, event: Any) -> Any:
    return scrubbed(event)


def _dumps(event: Any, **_: Any) -> str:
    """Return the event as JSON. orjson refuses large integers and lone surrogates, which a line can contain too."""
    try:
        return orjson.dumps(event, default=_text).decode()
    except TypeError:
        return json.dumps(event, default=_text, skipkeys=True)


def _text(value: object) -> str:
    return scrub(str(value))
