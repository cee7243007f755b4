"""The first page: what is wrong now and what to do about it, before anything else."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from flask import Response

from taskmanager.api import history
from taskmanager.api.checks.all import health_checks
from taskmanager.api.checks.measured import Measured, worst
from taskmanager.api.metrics import unless_away
from taskmanager.core.clock import iso, now
from taskmanager.core.security.redaction import redact
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.notifications.models import Delivery
from taskmanager.ops import blueprint, plots
from taskmanager.ops.blueprint import ops_page
from taskmanager.ops.tables import Cell, Table, ago, short

_MAX_LOOKED_AT, _MAX_CAUSES = 500, 8
_HINTS = {
    "mail": "Mails wait and are tried again for a day. Check TASKMANAGER_MAIL_URL; `taskmanager test-mail ADDRESS`"
    " shows what the server says.",
    "workers": "Jobs of this queue wait: mails, notifications and webhooks too. Start `taskmanager worker`, or look"
    " into its log.",
    "relay": "Without it nothing is dispatched after a write: no mail, no webhook. Start `taskmanager relay`, or look"
    " into its log.",
    "relay:lag": "Events wait: for the relay, or for their jobs. Look at relay, workers and Queues.",
    "relay:given_up": "Events has their listener, and how to dispatch them again; docs/runbooks/event-lag.md.",
    "scheduler": "Reminders and cleanup stand still. Start `taskmanager scheduler`, or look into its log.",
    "scheduler:lag": "Its log says why the job fails, unless no scheduler works: docs/runbooks/jobs-late.md.",
    "deliveries": "Look at the deliveries that fail below: the last error says why.",
    "queue:age": "Jobs wait: there are too few workers, or none. Start more, or look into their logs.",
    "queue": "Relay and workers continue when the queue store is back; nothing is lost. Look at its memory and log.",
    "cache": "Requests work without it, more slowly; limits are counted by each process.",
    "database": "Nothing works without a primary: look at the members of the replica set.",
    "migrations": "Run `taskmanager migrate`.",
    "database:disk": "Make room, or the database stops: Space and quotas has what is largest.",
    "machine": "Look at what else runs on this machine; docs/runbooks/slow.md has more.",
    "data": "Make room: Space and quotas has what is largest.",
    "backup": "Run `taskmanager backup`, or look at the job that does it.",
    "keys": "Run `taskmanager keys rotate`.",
    "certificate": "Renew the certificate of TASKMANAGER_PUBLIC_URL.",
    "clock": "Synchronize the clocks of this machine and of the database's.",
    "service": "`taskmanager maintenance off` ends it.",
}
_FIELDS = {"channel": 1, "last_error": 1, "claimed_until": 1, "ended_at": 1}
# By channel and the beginning of the last error, which is the name of its class.
_ERROR_HINTS = {
    ("email", "SMTPAuthenticationError"): "The mail server refuses the login: check user and password in"
    " TASKMANAGER_MAIL_URL.",
    ("email", "SMTPRecipientsRefused"): "The mail server refuses the address of the recipient for now.",
    ("email", "SMTPSenderRefused"): "The mail server refuses the sender: check TASKMANAGER_MAIL_FROM.",
    ("email", "SMTPNotSupportedError"): "The mail server has no such login, or no TLS: check the scheme of"
    " TASKMANAGER_MAIL_URL.",
    ("email", "SSLCertVerificationError"): "The certificate of the mail server is not trusted: check its name, and"
    " TASKMANAGER_MAIL_CA_FILE.",
    ("email", "gaierror"): "The name of the mail server is not known: check TASKMANAGER_MAIL_URL.",
    ("email", "ConnectionRefusedError"): "The mail server does not respond: is it running, at the address of"
    " TASKMANAGER_MAIL_URL?",
    ("email", "TimeoutError"): "The mail server does not respond in time: is a firewall between?",
    ("email", "SMTPServerDisconnected"): "The mail server ends the conversation: its log says why.",
    ("email", "SMTPConnectError"): "The mail server does not greet: its log says why.",
    ("email", "Rejected"): "The mail server refuses the address or the message for good.",
    ("webhook", "Rejected"): "The receiver refuses what it is sent: its owner must mend it.",
}
_ORDER = ("fail", "warn", "pass")


@ops_page("")
def show() -> Response:
    """Return what is wrong, which deliveries fail, the last hour, and all checks."""
    found = sorted(health_checks().run(), key=lambda one: _ORDER.index(one.status))
    hour = unless_away(history.last_hour)
    return blueprint.show(
        "ops_overview.html",
        "Now",
        overall=worst(one.status for one in found),
        at=iso(now())[11:19],
        broken=list(_problems(one for one in found if one.status == "fail")),
        problems=list(_problems(one for one in found if one.status == "warn")),
        failing=unless_away(failing) or _failing([], "They could not be read in time: look at Deliveries."),
        plots=[plots.drawn(plot, hour) for plot in plots.PLOTS] if hour else [],
        checks=Table("All checks", ("Check", "What", "State", "Value"), [_row(one) for one in found]),
    )


def failing() -> Table:
    """Return why the latest deliveries that are not sent failed, by channel and error, the most frequent first.

    Of the pending ones only the latest are looked at, so that a long queue costs no more than a short one.
    """
    causes, latest = Counter[tuple[str, str, str]](), dict[tuple[str, str, str], datetime]()
    for state, state_words in (("pending", "tried again"), ("dead", "given up")):
        for row in _failed(state):
            cause = (row["channel"], state_words, short(row.get("last_error") or "no error is known"))
            causes[cause] += 1
            latest[cause] = max(_tried_at(row), latest.get(cause, _tried_at(row)))
    rows = [
        (Cell(channel, f"/deliveries?{'state=dead' if words == 'given up' else 'state=pending'}&channel={channel}"),
         words, number, ago(latest[channel, words, error]), _hint_of(channel, error), error)
        for (channel, words, error), number in causes.most_common(_MAX_CAUSES)
    ]  # fmt: skip
    number = deliveries.count_pending()
    return _failing(rows, f"No delivery has failed; {number:,} are pending.")


def _failing(rows: list[Any], empty: str) -> Table:
    columns = ("Channel", "State", "Number", "Last try", "What it means", "Last error")
    return Table("Deliveries that fail", columns, rows, empty=empty)


def _tried_at(row: dict[str, Any]) -> datetime:
    """Return when a delivery was last tried; for one that is tried now, when its claim ends, which is later."""
    found: datetime = row.get("ended_at") or row["claimed_until"]
    return found


def _hint_of(channel: str, error: str) -> str:
    return _ERROR_HINTS.get((channel, error.partition(":")[0]), "")


def _failed(state: str) -> Iterator[dict[str, Any]]:
    latest = Delivery._get_collection().find({"state": state}, _FIELDS, sort=[("created_at", -1)])
    yield from (row for row in latest.limit(_MAX_LOOKED_AT) if state == "dead" or row.get("last_error"))


def _problems(found: Iterable[Measured]) -> Iterator[dict[str, str]]:
    """Yield what is wrong; components with the same sentence, such as queues without a worker, together."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        names.setdefault((one.status, one.key, redact(one.output)), []).append(one.name)
    for (status, key, output), components in names.items():
        hint = _HINTS.get(key) or _HINTS.get(key.partition(":")[0], "")
        places = ", ".join(filter(None, components))
        yield {"status": status, "key": f"{key} {places}".strip(), "output": output, "hint": hint}


def _row(one: Measured) -> tuple[object, ...]:
    value = "" if one.value is None else f"{one.value} {one.unit}"
    return (one.key, one.name, Cell(one.status, state=one.status), value)
