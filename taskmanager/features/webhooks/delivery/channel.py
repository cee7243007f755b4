"""The webhook channel: one request for each delivery, signed, logged, and never to the internal network."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import BoundedSemaphore
from time import monotonic
from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager import __version__
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events.log import record
from taskmanager.core.http.guarded_http import ReceiverResponse, Refused, Rules, post
from taskmanager.core.retry import RetryPolicy
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.telemetry import spans
from taskmanager.features.notifications.channels.base import Cancelled, Failed, Message, Note, Postponed, Rejected
from taskmanager.features.notifications.delivery import pending
from taskmanager.features.notifications.delivery.throttle import Throttle
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.users import service as users
from taskmanager.features.webhooks.delivery import bodies, signing
from taskmanager.features.webhooks.events import WebhookDisabled
from taskmanager.features.webhooks.kinds import TEST
from taskmanager.features.webhooks.member_removal import pass_on_one
from taskmanager.features.webhooks.models import Webhook

GONE = 410
_SUCCESS = range(200, 300)
_MAX_KEPT_BYTES = 2_000
# Deliveries without a free slot come back in order, at a rate that keeps slots busy with few failed tries.
_SLOT_WAIT, _throttle = timedelta(seconds=0.5), Throttle(30)
# Receivers whose latest request took longer share half of the threads, so that they never occupy all of them.
_SLOW_MS, _THREADS = 1000, 16
_slow_threads = BoundedSemaphore(_THREADS // 2)


class Unanswered(Failed):
    """The receiver did not confirm the request: it is retried."""


class Outcome(NamedTuple):
    """The outcome of one request; `failure` is the reason of a failure, None for a success."""

    note: Note
    failure: str | None = None
    final: bool = False  # the receiver will never accept this request
    gone: bool = False  # nor any other


class WebhookChannel:
    """Sends events to webhooks; see `Channel`."""

    name, queue, grouped, threads = "webhook", "low", False, _THREADS

    @property
    def seconds(self) -> float:
        return settings.current().webhook_timeout_seconds

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return no accounts: each webhook has its own list of events."""
        return set()

    def send(self, message: Message) -> Note:
        """Send the stored body of the event; return the note. Raises Rejected, Cancelled, Postponed, Unanswered."""
        delivery = message.delivery
        webhook = Webhook.objects(id=delivery.recipient_id).first()
        webhook = _check_deliverable(webhook, delivery)
        with _slow_thread(webhook):
            outcome = _attempt_in_slot(webhook, delivery)
        if outcome.failure is None:
            return outcome.note
        raise (Rejected if outcome.final else Unanswered)(outcome.failure, note=outcome.note)


@contextmanager
def _slow_thread(webhook: Webhook) -> Iterator[None]:
    """Hold one of the threads that slow receivers share; fast receivers need none. Raises Postponed without one."""
    if (webhook.took_ms or 0) < _SLOW_MS:
        yield
        return
    if not _slow_threads.acquire(blocking=False):
        raise Postponed(_throttle.next("slow", now() + _SLOT_WAIT))
    try:
        yield
    finally:
        _slow_threads.release()


def retry_policy() -> RetryPolicy:
    """Return the backoff of a webhook after failures; when the policy is exhausted it is disabled."""
    duration = timedelta(days=settings.current().webhook_disable_days)
    return RetryPolicy(first_seconds=2, max_seconds=300, min_attempts=8, give_up_after=duration)


def rules() -> Rules:
    """Return the rules for addresses of webhooks, by the settings."""
    chosen = settings.current()
    return Rules.parse(chosen.webhook_allow, plain=chosen.webhook_http)


def _check_deliverable(webhook: Webhook | None, delivery: Delivery) -> Webhook:
    """Return the webhook if the delivery may be sent to it now.

    Raises Cancelled when it must not be sent any more, Rejected for a disabled webhook, Postponed during a backoff.
    """
    if webhook is None or (not webhook.active and delivery.kind != TEST):
        raise Cancelled("The webhook is deleted or turned off.")
    if webhook.disabled_at:
        raise Rejected("The webhook is disabled.")
    if users.was_recovered(webhook.owner_id, since=webhook.updated_at):
        raise Cancelled("The owner has recovered the account since the webhook was made or changed.")
    if webhook.project_id is None:
        _check_owner_access(webhook, delivery)
    elif not members.are_members(webhook.project_id, [webhook.owner_id]):
        pass_on_one(webhook.id)
        raise Cancelled("The owner of the webhook is not in the project any more.")
    project_id = delivery.project_id or webhook.project_id
    if project_id and delivery.kind != _PROJECT_DELETED and not Project.objects(id=project_id).alive().first():
        raise Cancelled("The project is deleted.")
    latest = now() + timedelta(seconds=retry_policy().max_seconds + 60)  # a later time comes from a wrong clock
    if webhook.backoff_until and now() < webhook.backoff_until < latest and delivery.kind != TEST:
        raise Postponed(_throttle.next((webhook.id, webhook.backoff_until), webhook.backoff_until))
    return webhook


_PROJECT_DELETED = "project.deleted"  # the last event of a project


def _check_owner_access(webhook: Webhook, delivery: Delivery) -> None:
    """Raise Cancelled when the owner of a webhook for all their projects has left this one or is disabled."""
    if not users.active_user_ids([webhook.owner_id]):
        raise Cancelled("The owner of the webhook is disabled.")
    if delivery.project_id and not members.are_members(delivery.project_id, [webhook.owner_id]):
        raise Cancelled("The owner of the webhook is not in the project any more.")


def _attempt_in_slot(webhook: Webhook, delivery: Delivery) -> Outcome:
    """Send the request in a slot; record a failure before the slot is released. Raises Postponed, Cancelled."""
    _acquire_slot(webhook, delivery)
    outcome = None
    try:
        outcome = _attempt(webhook, delivery)
        _record_failure(webhook, outcome)
    finally:
        _release_slot(webhook, delivery, outcome)
    return outcome


def _acquire_slot(webhook: Webhook, delivery: Delivery) -> None:
    """Acquire one of the slots of the webhook, so that a receiver that hangs does not occupy all threads.

    After a failure there is one slot, until a request succeeds. A slot of a worker that died expires.
    Raises Postponed when no slot is free.
    """
    moment = now()
    slot = {"by": delivery.id, "until": moment + timedelta(seconds=settings.current().webhook_timeout_seconds)}
    in_flight = {"$filter": {"input": {"$ifNull": ["$busy", []]}, "cond": {"$gt": ["$$this.until", moment]}}}
    probing = webhook.failures and delivery.kind != TEST
    limit = 1 if probing else settings.current().webhook_concurrency
    taken = Webhook._get_collection().find_one_and_update(
        {"_id": webhook.id, "$expr": {"$lt": [{"$size": in_flight}, limit]}},
        [{"$set": {"busy": {"$concatArrays": [in_flight, [slot]]}}}],
    )
    if taken is None:
        earliest = slot["until"] if probing else moment + _SLOT_WAIT
        raise Postponed(_throttle.next((webhook.id, probing and slot["until"]), earliest))


def _release_slot(webhook: Webhook, delivery: Delivery, outcome: Outcome | None) -> None:
    """Release the slot; a success resets the failures of the webhook, also those that happened meanwhile."""
    update: dict[str, Any] = {"$pull": {"busy": {"by": delivery.id}}}
    if outcome is not None:
        update["$set"] = {"took_ms": outcome.note["duration_ms"]}
        if outcome.failure is None:
            update["$set"] |= {"failures": 0}
            update["$unset"] = {"failing_since": 1, "rests_until": 1}
    Webhook._get_collection().update_one({"_id": webhook.id}, update)


def _body_of(delivery: Delivery) -> str:
    text = delivery.body if delivery.body is not None else bodies.find(delivery.event_id)
    if text is None:
        raise Cancelled("The body has expired.")
    return text


def _attempt(webhook: Webhook, delivery: Delivery) -> Outcome:
    """Send one request and return its outcome. Raises Cancelled when the body has expired."""
    body = _body_of(delivery).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"TaskManager/{__version__}"}
    headers |= signing.headers(delivery.id, body, webhook.secrets)
    with spans.span("POST webhook", "client", http__request__method="POST") as opened:
        if opened:
            headers[spans.TRACEPARENT] = opened.traceparent
        outcome = _request(webhook, body, headers)
        if opened:
            opened.set(http__response__status_code=outcome.note.get("status"))
    return outcome


def _request(webhook: Webhook, body: bytes, headers: dict[str, str]) -> Outcome:
    began, note = monotonic(), {"at": now(), "url": webhook.url, "request_headers": _pairs(headers)}
    try:
        outcome = _classify_response(
            post(webhook.url, body, headers, seconds=settings.current().webhook_timeout_seconds, rules=rules())
        )
    except Refused as error:
        outcome = Outcome({"error": error.detail}, error.detail, final=True)
    except OSError as error:
        reason = f"{type(error).__name__}: {error}"[:300]
        outcome = Outcome({"error": reason}, reason)
    duration = {"duration_ms": round((monotonic() - began) * 1000)}
    return outcome._replace(note=note | duration | outcome.note)


def _classify_response(response: ReceiverResponse) -> Outcome:
    """Return the outcome of a response: 2xx is a success; after 410 the webhook gets no more requests."""
    headers = {str(name)[:100]: str(value)[:500] for name, value in list(response.headers.items())[:30]}
    text = response.body[:_MAX_KEPT_BYTES].decode("utf-8", "replace").replace("\0", "")
    note: Note = {"status": response.status, "response_headers": _pairs(headers), "response_body": text}
    if response.status in _SUCCESS:
        return Outcome(note)
    if response.status == GONE:
        return Outcome(note, "The receiver responded 410 Gone.", final=True, gone=True)
    return Outcome(note, f"The receiver responded {response.status}.")


def _pairs(headers: dict[str, str]) -> list[list[str]]:
    """Return headers as pairs: their names may have dots, which are unsafe in names of MongoDB fields."""
    return [[name, value] for name, value in headers.items()]


def _record_failure(webhook: Webhook, outcome: Outcome) -> None:
    if outcome.gone:
        _disable(webhook.id, "The receiver responded 410 Gone.")
    elif outcome.failure:
        _back_off(webhook, outcome.failure)


def _back_off(webhook: Webhook, reason: str) -> None:
    """Back off for longer with each failure; disable the webhook when the retry policy is exhausted."""
    moment, retry, failures = now(), retry_policy(), webhook.failures + 1
    backoff_until = moment + retry.delay(failures)
    changes = {"rests_until": backoff_until}
    if webhook.failing_since is None:
        changes["failing_since"] = moment
    Webhook._get_collection().update_one({"_id": webhook.id}, {"$set": changes, "$inc": {"failures": 1}})
    pending.postpone_all(webhook.id, backoff_until, but=TEST)
    if webhook.failing_since and retry.exhausted(failures, moment - webhook.failing_since):
        _disable(webhook.id, f"It has failed since {webhook.failing_since:%Y-%m-%d}. The latest failure: {reason}")


@unit_of_work
def _disable(webhook_id: ObjectId, because: str) -> None:
    webhook = Webhook.objects(id=webhook_id, disabled_at=None).first()
    if webhook is not None:
        webhook = webhook.write(disabled_at=now(), disabled_because=because)
        record(WebhookDisabled(webhook, None))
