"""Delivery groups: deliveries to one recipient that are sent as one message. The oldest one leads the group."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bson import ObjectId

from taskmanager.core import zones
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.core.storage.orders import Filter, Row
from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.channels.base import Cancelled, Message, Postponed
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.kinds import UNCHOSEN
from taskmanager.features.notifications.models import DIGEST, Delivery, Preferences
from taskmanager.features.notifications.policy import delivery_times, levels
from taskmanager.features.notifications.policy.levels import NotificationPolicy
from taskmanager.features.users import service as users


class ClaimLost(Exception):
    """Another worker has claimed the delivery since."""


_CLAIM_FIELDS = {"bundle": 1, "attempts": 1, "channel": 1, "first_at": 1}
MAX_NOTICES, MAX_GROUPED = 100, 1000  # notices in one message; events from which they are chosen


def leader_of(delivery_id: ObjectId) -> Row | None:
    """Return the fields that are needed to claim the group leader of a delivery; None when the delivery is finished.

    The leader is the oldest delivery of the group that was not tried yet or is being tried; without one it is the
    delivery itself.
    """
    collection = Delivery._get_collection()
    row = collection.find_one({"_id": delivery_id, "state": "pending"}, _CLAIM_FIELDS)
    if row is None or "bundle" not in row or row["attempts"]:
        return row
    grouped = {"bundle": row["bundle"], "state": "pending", "led_by": {"$exists": False}}
    free = {"$or": [{"attempts": 0}, {"claimed_until": {"$gt": now()}}]}
    return collection.find_one(grouped | free, _CLAIM_FIELDS, sort=[("created_at", 1), ("_id", 1)]) or row


def message(delivery: Delivery, own: list[Notice] | None, extend_claim: Callable[[], bool]) -> Message:
    """Return the message of a delivery and of those in its group; `own` are its own notices if just written.

    Notices that the recipient does not want any more are left out; of more than MAX_NOTICES the latest are sent.
    Writing them may take longer than a claim lasts, so `extend_claim` is called before each event: it extends the
    claim, or returns False when the claim is lost.

    Raises ClaimLost, Cancelled when no notice is left, Postponed in quiet hours.
    """
    event_ids = _add_followers(delivery, new=own is not None)
    if own and not event_ids:
        return Message(delivery, own)
    events = sorted(Event.objects(id__in=[delivery.event_id, *event_ids]), key=lambda event: (event.at, event.seq))
    ready = {delivery.event_id: own} if own else {}
    written = [
        (event.id, ready.get(event.id) or _write_notices(event, delivery.recipient_id, extend_claim))
        for event in events[-MAX_GROUPED:]
    ]
    policy_of = levels.load_policies(notice for _, each in written for notice in each)
    wanted = _filter_unwanted(delivery, written, policy_of)
    if not wanted:
        raise Cancelled("There is nothing to send any more.")
    _check_quiet_hours(delivery, wanted, policy_of[delivery.recipient_id].general)
    latest = wanted[-MAX_NOTICES:]
    return Message(delivery, latest, len(wanted) - len(latest) + len(events) - len(written))


def _write_notices(event: Event, recipient_id: ObjectId, extend_claim: Callable[[], bool]) -> list[Notice]:
    if not extend_claim():
        raise ClaimLost
    return notices.write_notices(event, recipient_id)


def _filter_unwanted(
    delivery: Delivery, written: list[tuple[ObjectId, list[Notice]]], policy_of: dict[ObjectId, NotificationPolicy]
) -> list[Notice]:
    """Return the notices that the recipient's policy allows; cancel followers that have none left."""
    kept = [
        (event_id, [notice for notice in each if delivery.channel in policy_of[notice.recipient_id].channels(notice)])
        for event_id, each in written
    ]
    _cancel(delivery, [event_id for event_id, each in kept if not each])
    return [notice for _, each in kept for notice in each]


def _check_quiet_hours(delivery: Delivery, found: list[Notice], preferences: Preferences) -> None:
    """Raise Postponed when quiet hours began since the delivery was planned: they were turned on, or sending failed.

    Reminders and digests are sent at the time that was chosen for them; a digest that failed then waits, too.
    """
    channel = channels.find(delivery.channel)
    chosen = any(notice.kind == "task.reminder" or notice.kind in UNCHOSEN for notice in found) or (
        delivery.attempts == 1 and str(delivery.group).endswith(f":{DIGEST}")
    )
    if chosen or not preferences.quiet_from or channel is None or not channel.grouped:
        return
    zone = users.timezones([preferences.user_id]).get(preferences.user_id, zones.DEFAULT)
    moment = now()
    until = delivery_times.after_quiet(moment, preferences.quiet_from, preferences.quiet_to, zone)
    if until > moment:
        raise Postponed(until)


def _cancel(leader: Delivery, event_ids: list[ObjectId]) -> None:
    """Cancel the followers of these events, which have no notices any more."""
    if leader.group and event_ids:
        followers = {"led_by": leader.id, "state": "pending", "event_id": {"$in": event_ids}}
        cancelled = final_fields("cancelled", "There is nothing to send any more.")
        Delivery._get_collection().update_many(followers, {"$set": cancelled})


def final_fields(state: str, reason: str | None) -> Row:
    """Return the fields of a finished delivery; `reason` says why it was not sent."""
    moment, chosen = now(), settings.current()
    days = chosen.dead_delivery_days if state == "dead" else chosen.delivery_days
    values: Row = {"state": state, "ended_at": moment, "expires_at": moment + timedelta(days=days)}
    return values | ({"last_error": reason} if reason else {})


def move_to_group(delivery: Delivery, group: str, until: datetime) -> None:
    """Move a delivery and its followers to another group, without a leader; the followers are due at `until`."""
    collection = Delivery._get_collection()
    released = {"$set": {"bundle": group, "due_at": until}, "$unset": {"led_by": 1}}
    collection.update_many({"led_by": delivery.id, "state": "pending"}, released)
    collection.update_one({"_id": delivery.id, "state": "pending"}, {"$set": {"bundle": group}})


def finish_followers() -> int:
    """Finish the followers of finished leaders in the same state, and release followers whose leader is gone.

    Repairs what a worker left between two steps. Return how many were changed.
    """
    collection, count = Delivery._get_collection(), 0
    followers = {"state": "pending", "led_by": {"$exists": True}}
    for leader_id in collection.distinct("led_by", followers):
        leader = collection.find_one({"_id": leader_id}, {"state": 1, "ended_at": 1, "expires_at": 1}) or {}
        if leader.get("state") == "pending":
            continue
        shared = {"$set": {name: value for name, value in leader.items() if name != "_id"}}
        released = {"$unset": {"led_by": 1}, "$set": {"due_at": now()}}
        update = shared if leader else released
        count += collection.update_many(followers | {"led_by": leader_id}, update).modified_count
    return count


def _add_followers(delivery: Delivery, *, new: bool) -> list[ObjectId]:
    """Make the delivery the leader of its group; return the ids of the followers' events.

    A `new` delivery has no followers yet, so that one query is enough when the group is empty.
    """
    if not delivery.group:
        return []
    collection = Delivery._get_collection()
    if delivery.attempts == 1:  # a retry sends the same deliveries as before
        others = _others_of_group(delivery)
        if new and collection.find_one(others, {"_id": 1}) is None:
            return []
        collection.update_many(others, {"$set": {"led_by": delivery.id}, "$unset": {"due_at": 1}})
    led = {"led_by": delivery.id, "state": "pending"}
    return [row["event_id"] for row in collection.find(led, {"event_id": 1})]


def _others_of_group(delivery: Delivery) -> Filter:
    """Return the query of the other deliveries of the group that were not tried yet."""
    return {
        "bundle": delivery.group,
        "state": "pending",
        "led_by": {"$exists": False},
        "claimed_until": {"$lte": now()},
        "_id": {"$ne": delivery.id},
        "attempts": 0,
    }
