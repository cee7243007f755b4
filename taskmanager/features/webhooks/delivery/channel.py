"""The channel that tells programs: one request for each delivery, signed, logged, and never to our own network."""

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
from taskmanager.core.http.guarded_http import Answer, Refused, Rules, post
from taskmanager.core.retry import RetryPolicy
from taskmanager.core.storage.unit_of_work import unit_of_work
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
_GOOD = range(200, 300)
_MAX_KEPT_BYTES = 2_000
# What finds no place comes back in order: so many a second that few ask in vain, and places are seldom empty.
_PLACE_TAKEN, _pace = timedelta(seconds=0.5), Throttle(30)
# Receivers whose last answer took longer share half of the threads, so that however many they leave room for others.
_SLOW_MS, _THREADS = 1000, 16
_slow_threads = BoundedSemaphore(_THREADS // 2)


class Unanswered(Failed):
    """The receiver did not say that it has it: the attempt is repeated later."""


class Outcome(NamedTuple):
    """What came of one request; `failure` says why the receiver has it not, None that it has."""

    note: Note
    failure: str | None = None
    final: bool = False  # it will never take it
    gone: bool = False  # nor anything else


class WebhookChannel:
    """See `Channel`."""

    name, queue, grouped, threads = "webhook", "low", False, _THREADS

    @property
    def seconds(self) -> float:
        return settings.current().webhook_timeout_seconds

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return no accounts: each webhook says itself what it is to be sent."""
        return set()

    def send(self, message: Message) -> Note:
        """Send the body that was made for it. Raises Rejected, Cancelled, Postponed, Unanswered."""
        delivery = message.delivery
        webhook = Webhook.objects(id=delivery.recipient_id).first()
        _may_be_told(webhook, delivery)
        with _pool_of_slow(webhook):
            outcome = _attempt_in_slot(webhook, delivery)
        if outcome.failure is None:
            return outcome.note
        raise (Rejected if outcome.final else Unanswered)(outcome.failure, note=outcome.note)


@contextmanager
def _pool_of_slow(webhook: Webhook) -> Iterator[None]:
    """Hold one of the threads that slow receivers share, none for others. Raises Postponed when none is free."""
    if (webhook.took_ms or 0) < _SLOW_MS:
        yield
        return
    if not _slow_threads.acquire(blocking=False):
        raise Postponed(_pace.next("slow", now() + _PLACE_TAKEN))
    try:
        yield
    finally:
        _slow_threads.release()


def retry_policy() -> RetryPolicy:
    """Return for how long nothing is sent to a webhook after its failures, and when it is disabled for them."""
    lasts = timedelta(days=settings.current().webhook_disable_days)
    return RetryPolicy(first_seconds=2, max_seconds=300, min_attempts=8, give_up_after=lasts)


def rules() -> Rules:
    """Return where webhooks may be sent to, by the settings."""
    chosen = settings.current()
    return Rules.parse(chosen.webhook_allow, plain=chosen.webhook_http)


def _may_be_told(webhook: Webhook | None, delivery: Delivery) -> None:
    """Raise Cancelled when no receiver is to be told, Rejected for one that is disabled, Postponed while it rests."""
    if webhook is None or (not webhook.active and delivery.kind != TEST):
        raise Cancelled("The webhook is deleted or turned off.")
    if webhook.disabled_at:
        raise Rejected("The webhook is disabled.")
    if users.was_recovered(webhook.owner_id, since=webhook.updated_at):
        raise Cancelled("The owner has recovered the account since the webhook was made or changed.")
    if webhook.project_id is None:
        _owner_may_know(webhook, delivery)
    elif not members.are_members(webhook.project_id, [webhook.owner_id]):
        pass_on_one(webhook.id)
        raise Cancelled("Who made the webhook is not in the project any more.")
    project_id = delivery.project_id or webhook.project_id
    if project_id and delivery.kind != _LAST and not Project.objects(id=project_id).alive().first():
        raise Cancelled("The project is deleted.")
    longest = now() + timedelta(seconds=retry_policy().max_seconds + 60)  # a clock that was wrong has set a later one
    if webhook.rests_until and now() < webhook.rests_until < longest and delivery.kind != TEST:
        raise Postponed(_pace.next((webhook.id, webhook.rests_until), webhook.rests_until))


_LAST = "project.deleted"


def _owner_may_know(webhook: Webhook, delivery: Delivery) -> None:
    """Raise Cancelled when the owner of a webhook for all their projects has left this one, or may not act at all."""
    if not users.active_user_ids([webhook.owner_id]):
        raise Cancelled("The owner of the webhook may not act.")
    if delivery.project_id and not members.are_members(delivery.project_id, [webhook.owner_id]):
        raise Cancelled("The owner of the webhook is not in the project any more.")


def _attempt_in_slot(webhook: Webhook, delivery: Delivery) -> Outcome:
    """Send it; what failed is written down before there is room for the next. Raises Postponed, Cancelled."""
    _acquire_slot(webhook, delivery)
    outcome = None
    try:
        outcome = _attempt(webhook, delivery)
        _write_failure(webhook, outcome)
    finally:
        _release_slot(webhook, delivery, outcome)
    return outcome


def _acquire_slot(webhook: Webhook, delivery: Delivery) -> None:
    """Acquire one of the few slots for requests to it, so that one which hangs does not hold all threads.

    Raises Postponed when all are taken; of one that has failed, until the request that tries it has ended. A slot
    ends by itself when its worker dies.
    """
    moment = now()
    place = {"by": delivery.id, "until": moment + timedelta(seconds=settings.current().webhook_timeout_seconds)}
    under_way = {"$filter": {"input": {"$ifNull": ["$busy", []]}, "cond": {"$gt": ["$$this.until", moment]}}}
    probing = webhook.failures and delivery.kind != TEST
    most = 1 if probing else settings.current().webhook_concurrency
    taken = Webhook._get_collection().find_one_and_update(
        {"_id": webhook.id, "$expr": {"$lt": [{"$size": under_way}, most]}},
        [{"$set": {"busy": {"$concatArrays": [under_way, [place]]}}}],
    )
    if taken is None:
        earliest = place["until"] if probing else moment + _PLACE_TAKEN
        raise Postponed(_pace.next((webhook.id, probing and place["until"]), earliest))


def _release_slot(webhook: Webhook, delivery: Delivery, outcome: Outcome | None) -> None:
    """Release the slot; when the request worked, whatever failed before or meanwhile, the webhook works."""
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
        raise Cancelled("What was to be sent is not kept any more.")
    return text


def _attempt(webhook: Webhook, delivery: Delivery) -> Outcome:
    """Send it once; whatever comes of it is in the result. Raises Cancelled when there is nothing to send any more."""
    body = _body_of(delivery).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"TaskManager/{__version__}"}
    headers |= signing.headers(delivery.id, body, webhook.secrets)
    began, note = monotonic(), {"at": now(), "url": webhook.url, "request_headers": _pairs(headers)}
    try:
        outcome = _classify_response(
            post(webhook.url, body, headers, seconds=settings.current().webhook_timeout_seconds, rules=rules())
        )
    except Refused as error:
        outcome = Outcome({"error": error.detail}, error.detail, final=True)
    except OSError as error:
        words = f"{type(error).__name__}: {error}"[:300]
        outcome = Outcome({"error": words}, words)
    took = {"duration_ms": round((monotonic() - began) * 1000)}
    return outcome._replace(note=note | took | outcome.note)


def _classify_response(answer: Answer) -> Outcome:
    """Accept only 2xx; 410 says that nothing is wanted any more."""
    shown = {str(name)[:100]: str(value)[:500] for name, value in list(answer.headers.items())[:30]}
    text = answer.body[:_MAX_KEPT_BYTES].decode("utf-8", "replace").replace("\0", "")
    note: Note = {"status": answer.status, "response_headers": _pairs(shown), "response_body": text}
    if answer.status in _GOOD:
        return Outcome(note)
    if answer.status == GONE:
        return Outcome(note, "The receiver answered 410: gone.", final=True, gone=True)
    return Outcome(note, f"The receiver answered {answer.status}.")


def _pairs(headers: dict[str, str]) -> list[list[str]]:
    """Return names as they are: receivers may answer with dots in them, which MongoDB would mind in the names of
    fields.
    """
    return [[name, value] for name, value in headers.items()]


def _write_failure(webhook: Webhook, outcome: Outcome) -> None:
    if outcome.gone:
        _disable(webhook.id, "It answered 410: gone.")
    elif outcome.failure:
        _failed(webhook, outcome.failure)


def _failed(webhook: Webhook, words: str) -> None:
    """Let it rest, the longer the more often it has failed; after days of many failures, disable it."""
    moment, retry, failures = now(), retry_policy(), webhook.failures + 1
    rests_until = moment + retry.delay(failures)
    changes = {"rests_until": rests_until}
    if webhook.failing_since is None:
        changes["failing_since"] = moment
    Webhook._get_collection().update_one({"_id": webhook.id}, {"$set": changes, "$inc": {"failures": 1}})
    pending.put_off(webhook.id, rests_until, but=TEST)
    if webhook.failing_since and retry.exhausted(failures, moment - webhook.failing_since):
        _disable(webhook.id, f"It has failed since {webhook.failing_since:%Y-%m-%d}, the last time so: {words}")


@unit_of_work
def _disable(webhook_id: ObjectId, because: str) -> None:
    webhook = Webhook.objects(id=webhook_id, disabled_at=None).first()
    if webhook is not None:
        webhook = webhook.write(disabled_at=now(), disabled_because=because)
        record(WebhookDisabled(webhook, None))
