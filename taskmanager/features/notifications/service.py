"""Use cases of notifications: notify users of events, and let them read and mark their notifications."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bson import ObjectId

from taskmanager.core import zones
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import ScopeMissing
from taskmanager.core.events.log import Event, project_of, record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import NEWEST, Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.notifications.channels import base as channels, in_app as in_app_channel
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.notifications.events import NotificationsChanged
from taskmanager.features.notifications.kinds import KINDS, UNCHOSEN
from taskmanager.features.notifications.models import DIGEST, Inbox, Notification
from taskmanager.features.notifications.phones import service as phones
from taskmanager.features.notifications.policy import delivery_times, levels
from taskmanager.features.notifications.policy.levels import NotificationPolicy
from taskmanager.features.notifications.preferences import service as preferences
from taskmanager.features.projects.members import service as members
from taskmanager.features.users import service as users

_READ_COUNTED = 1000
_MARKED = 500  # notifications that are marked in one transaction


def wanted(events: Sequence[Event]) -> set[ObjectId]:
    """Return the ids of the events that may have recipients.

    An event for members has none in a project whose only member is the actor. The relay calls this for each batch; it
    takes one index lookup for each pair of project and actor.
    """
    for_members = [event for event in events if event.actor_id and notices.is_for_members(event.kind)]
    pairs = {(project_of(event), event.actor_id) for event in for_members}
    alone = {pair for pair in pairs if not members.has_others(*pair)}
    without_recipients = {event.id for event in for_members if (project_of(event), event.actor_id) in alone}
    return {event.id for event in events} - without_recipients


def notify(event: Event) -> None:
    """Plan a delivery for each recipient and channel, and send those that need not wait. Safe to repeat."""
    found = notices.write_notices(event)
    if not found:
        return
    policy_of = levels.load_policies(found)
    chosen = [(notice, name) for notice in found for name in policy_of[notice.recipient_id].channels(notice)]
    zones_of = _load_timezones(policy_of)
    reached = {
        channel.name: channel.reaches([notice.recipient_id for notice, name in chosen if name == channel.name])
        for channel in channels.personal()
    }
    rows = [
        _delivery_row(
            event, notice, name, policy_of[notice.recipient_id], zones_of.get(notice.recipient_id, zones.DEFAULT)
        )
        for notice, name in chosen
        if notice.recipient_id in reached[name] or notice.kind in UNCHOSEN
    ]
    deliveries.send_all(deliveries.plan(rows), found)


def _delivery_row(event: Event, notice: Notice, name: str, policy: NotificationPolicy, timezone: str) -> Row:
    row = {
        "event_id": event.id,
        "channel": name,
        "recipient_id": notice.recipient_id,
        "kind": notice.kind,
        **({"project_id": notice.project_id} if notice.project_id else {}),
    }
    channel = channels.find(name)
    if notice.kind in UNCHOSEN or channel is None or not channel.grouped:
        return row
    about = notice.task_id or notice.project_id or event.id
    row["bundle"] = f"{name}:{notice.recipient_id}:{about}"
    due = _due_at(notice, policy, timezone)
    if due is None:
        return row
    if not KINDS[notice.kind].urgent and policy.general.digest != "off":
        row["bundle"] = f"{name}:{notice.recipient_id}:{DIGEST}"
    return row | {"due_at": due}


def _due_at(notice: Notice, policy: NotificationPolicy, timezone: str) -> datetime | None:
    """Return when the notice is to be sent; None for at once. Quiet hours do not hold for reminders."""
    moment, general = now(), policy.general
    if notice.kind == "task.reminder":
        return None
    if not KINDS[notice.kind].urgent:
        if general.digest != "off":
            return delivery_times.next_digest(moment, general.digest, general.digest_at, general.digest_on, timezone)
        waits = moment + timedelta(seconds=settings.current().notification_window_seconds)
        return delivery_times.after_quiet(waits, general.quiet_from, general.quiet_to, timezone)
    due = delivery_times.after_quiet(moment, general.quiet_from, general.quiet_to, timezone)
    return due if due > moment else None


def _load_timezones(policy_of: dict[ObjectId, NotificationPolicy]) -> dict[ObjectId, str]:
    """Return the time zones of the users with quiet hours or a digest."""
    user_ids = [
        user_id for user_id, policy in policy_of.items() if policy.general.quiet_from or policy.general.digest != "off"
    ]
    return users.timezones(user_ids) if user_ids else {}


def visible(actor: Actor, *, unread: bool = False) -> BaseQuerySet:
    """Return the actor's notifications of projects that they may see, or only the unread ones. Raises ScopeMissing."""
    _check_all_projects(actor)
    in_visible = {"$or": [{"project_id": {"$exists": False}}, {"project_id": {"$in": list(actor.project_roles)}}]}
    found = Notification.objects(user_id=actor.user_id, __raw__=in_visible)
    return found.filter(read_at=None) if unread else found


def get(notification_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """Return one notification. Raises NotFound, ScopeMissing."""
    return visible(actor).row(notification_id, fields)


@unit_of_work
def mark(notification_id: ObjectId, read: bool, *, if_match: IfMatch, actor: Actor) -> Notification:
    """Mark one notification as read or unread. Raises NotFound, PreconditionFailed, ScopeMissing."""
    notification = visible(actor).one(notification_id)
    notification.check_revision(if_match)
    if bool(notification.read_at) == read:
        return notification
    notification = notification.write(read_at=now() if read else None)
    record(NotificationsChanged(actor.user_id, [notification.id], actor))
    return notification


def inbox(*, actor: Actor) -> tuple[Row, int | Row]:
    """Return the actor's inbox, and how many notifications are unread (see `BaseQuerySet.total`).

    Raises ScopeMissing.
    """
    return _inbox(actor).as_row(), visible(actor, unread=True).total(_READ_COUNTED)


def mark_all(until: ObjectId | None, *, if_match: IfMatch, actor: Actor) -> None:
    """Mark all notifications as read, or all up to one. Raises NotFound, PreconditionFailed, ScopeMissing."""
    stored = _inbox(actor)
    stored.check_revision(if_match)
    found = visible(actor, unread=True)
    if until is not None:  # by time: ids that two workers generate within a second are not ordered
        found = found.filter(created_at__lte=visible(actor).one(until).created_at)
    newest = until or next((row["_id"] for row in found.rows(1, ["_id"], NEWEST.spec())), None)
    stored.keep(read_until=_later_of(newest, stored.read_until))
    while _mark_some(found, actor) == _MARKED:
        pass


@unit_of_work
def _mark_some(found: BaseQuerySet, actor: Actor) -> int:
    """Mark the next unread notifications of a queryset as read, and return how many."""
    ids = [row["_id"] for row in found.rows(_MARKED, ["_id"])]
    if ids:
        marks = {"$set": {"read_at": now(), "updated_at": now()}, "$inc": {"revision": 1}}
        Notification._get_collection().update_many({"_id": {"$in": ids}, "user_id": actor.user_id}, marks)
        record(NotificationsChanged(actor.user_id, ids, actor))
    return len(ids)


def _later_of(*notification_ids: ObjectId | None) -> ObjectId | None:
    """Return the id of the latest of these; a deleted one is older than all that are kept."""
    found = Notification.objects(id__in=[one for one in notification_ids if one])
    last = found.order_by("-created_at", "-id").scalar("id").first()
    return last or next(filter(None, notification_ids), None)


def refresh_in_app(task_id: ObjectId, comment_id: ObjectId) -> None:
    """Update the in-app notifications about a comment, and delete those that no longer hold. Safe to repeat."""
    about = {"subject_id": task_id, "kind__in": ("comment.created", "comment.updated"), "data__comment_id": comment_id}
    for event in Event.objects(**about):
        current = {notice.recipient_id: notice for notice in notices.write_notices(event)}
        for stored in Notification.objects(event_id=event.id):
            in_app_channel.refresh(stored, current.get(stored.user_id))


def delete_of_account(user_id: ObjectId) -> None:
    """Delete the notifications, preferences and phone number of a deleted account."""
    Notification.objects(user_id=user_id).delete()
    Inbox.objects(user_id=user_id).delete()
    preferences.delete_of_account(user_id)
    phones.delete_of_account(user_id)


def _check_all_projects(actor: Actor) -> None:
    """Raise ScopeMissing for a token that is limited to one project."""
    if actor.one_project:
        raise ScopeMissing("A token for one project cannot read notifications of all projects.")


def _inbox(actor: Actor) -> Inbox:
    _check_all_projects(actor)
    return Inbox.at(user_id=actor.user_id)
