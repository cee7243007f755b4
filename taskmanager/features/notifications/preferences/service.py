"""Use cases of notification preferences."""

from datetime import timedelta
from typing import Any, TypeVar

from bson import ObjectId

from taskmanager.core import zones
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Invalid, NotFound, ScopeMissing
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor, members_only
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.delivery import pending
from taskmanager.features.notifications.events import PreferencesChanged, TimesChanged
from taskmanager.features.notifications.kinds import KINDS
from taskmanager.features.notifications.models import Preferences, ProjectPreferences
from taskmanager.features.notifications.policy import delivery_times, levels
from taskmanager.features.users import service as users


def get_own(*, actor: Actor) -> Row:
    """Return the actor's preferences; the revision is 0 while nothing was chosen. Raises ScopeMissing."""
    return _row(_load_own(actor))


@unit_of_work
def update(changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> Row:
    """Change the actor's preferences. They also hold for pending deliveries.

    Raises ScopeMissing, PreconditionFailed, Invalid (`channel.unknown`, `kind.unknown`, `quiet_hours.incomplete`).
    """
    stored = _load_own(actor)
    changes = dict(changes)
    if "channels" in changes:
        changes["chosen"] = _merge_choices(stored, changes.pop("channels"))
    if "quiet_hours" in changes:
        changes |= _merge_quiet_hours(stored, changes.pop("quiet_hours"))
    changes = _with_defaults(stored, changes)
    times_changed = any(name.startswith(("digest", "quiet")) for name in stored.differences(changes))
    stored = _save(stored, changes, if_match)
    if times_changed:
        record(TimesChanged(actor.user_id))
    return _row(stored)


def get_for_project(project_id: ObjectId, *, actor: Actor) -> Row:
    """Return the actor's preferences for a project; the revision is 0 while nothing was chosen. Raises NotFound."""
    _check_member(project_id, actor)
    return ProjectPreferences.at(user_id=actor.user_id, project_id=project_id).as_row()


@unit_of_work
def update_project(project_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> Row:
    """Change the actor's preferences for a project. Raises NotFound, PreconditionFailed."""
    _check_member(project_id, actor)
    stored = ProjectPreferences.at(user_id=actor.user_id, project_id=project_id)
    return _save(stored, _with_defaults(stored, changes), if_match).as_row()


@unit_of_work
def unsubscribe(user_id: ObjectId, kinds: list[str]) -> None:
    """Turn off mails of some kinds, also those that are pending. Safe to repeat."""
    if not users.public_profiles([user_id]).get(user_id, {}).get("email"):
        return  # the account is deleted and gets no mails
    stored = Preferences.at(user_id=user_id)
    _save(stored, {"chosen": _merge_choices(stored, {"email": dict.fromkeys(kinds, False)})}, None)


def reschedule_pending(user_id: ObjectId) -> None:
    """Reschedule the pending deliveries of a user by their present preferences. Safe to repeat.

    Deliveries of a digest are sent with the next one, or at once when digests are off. Deliveries that quiet hours
    delayed are planned as if the event had just happened. Quiet hours are checked again before sending.
    """
    stored = Preferences.at(user_id=user_id)
    zone = users.timezones([user_id]).get(user_id, zones.DEFAULT)
    digest = due = now()
    if stored.digest != "off":
        digest = delivery_times.next_digest(digest, stored.digest, stored.digest_at, stored.digest_on, zone)
    due += timedelta(seconds=settings.current().notification_window_seconds)
    due = delivery_times.after_quiet(due, stored.quiet_from, stored.quiet_to, zone)
    pending.reschedule(user_id, digest=digest, others=due)


def delete_of_account(user_id: ObjectId) -> None:
    """Delete the preferences of a deleted account."""
    Preferences.objects(user_id=user_id).delete()
    ProjectPreferences.objects(user_id=user_id).delete()


def _load_own(actor: Actor) -> Preferences:
    if actor.one_project:
        raise ScopeMissing("A token for one project cannot read or change preferences for all projects.")
    return Preferences.at(user_id=actor.user_id)


def _check_member(project_id: ObjectId, actor: Actor) -> None:
    """Raise NotFound for a project that the actor does not see, Forbidden for a visitor."""
    if actor.role_in(project_id) is None:
        raise NotFound
    members_only(actor)


def _with_defaults(stored: Preferences | ProjectPreferences, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes of a merge patch with defaults in place of null."""
    return {name: stored._fields[name].default if value is None else value for name, value in changes.items()}


_Stored = TypeVar("_Stored", Preferences, ProjectPreferences)


def _save(stored: _Stored, changes: dict[str, Any], if_match: IfMatch) -> _Stored:
    stored.check_revision(if_match)
    if not stored.differences(changes) and stored.revision:
        return stored
    record(PreferencesChanged(stored.user_id, getattr(stored, "project_id", None)))
    return stored.keep(**changes)


def _merge_quiet_hours(stored: Preferences, quiet: dict[str, str | None] | None) -> dict[str, str | None]:
    """Merge quiet hours into the stored ones (RFC 7396); return both stored fields.

    Raises Invalid (`quiet_hours.incomplete`) when only one of the two times is set then.
    """
    before = {"start": stored.quiet_from, "end": stored.quiet_to}
    after = before | quiet if quiet is not None else dict.fromkeys(before)
    if bool(after["start"]) != bool(after["end"]):
        raise Invalid("body.quiet_hours", "Quiet hours need a start and an end.", code="quiet_hours.incomplete")
    return {"quiet_from": after["start"], "quiet_to": after["end"]}


Choices = dict[str, dict[str, bool | None] | None]


def _merge_choices(stored: Preferences, wanted: Choices | None) -> list[str]:
    """Merge `wanted` into the stored choices (RFC 7396); return those that differ from the defaults.

    Null stands for the default. Choices of unknown channels and kinds, such as those of a removed plugin, are kept.
    """
    names = [channel.name for channel in channels.personal()]
    _check_choices(wanted or {}, names)
    known = {f"{channel} {kind}" for channel in names for kind in KINDS}
    chosen = [choice for choice in stored.chosen if choice[1:] not in known]
    for channel in names:
        kinds = None if wanted is None else wanted.get(channel, {})
        for kind, about in KINDS.items():
            default = channel in about.on
            on = default if kinds is None else kinds.get(kind, levels.is_wanted(stored, channel, kind))
            if on is not None and on != default:
                chosen.append(f"{'+' if on else '-'}{channel} {kind}")
    return chosen


def _check_choices(wanted: Choices, names: list[str]) -> None:
    for channel, kinds in wanted.items():
        if channel not in names:
            raise Invalid(
                f"body.channels.{channel[:50]}", f"The channels are: {', '.join(names)}.", code="channel.unknown"
            )
        for kind in kinds or {}:
            if kind not in KINDS:
                location = f"body.channels.{channel}.{kind[:50]}"
                raise Invalid(location, f"The kinds are: {', '.join(KINDS)}.", code="kind.unknown")


def _row(stored: Preferences) -> Row:
    matrix = {
        channel.name: {kind: levels.is_wanted(stored, channel.name, kind) for kind in KINDS}
        for channel in channels.personal()
    }
    quiet = stored.quiet_from and {"start": stored.quiet_from, "end": stored.quiet_to}
    return stored.as_row() | {"channels": matrix, "quiet_hours": quiet or None}
