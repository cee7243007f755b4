"""Use cases of what people want to hear of."""

from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from taskmanager.core.access import Actor
from taskmanager.core.documents import Expected
from taskmanager.core.errors import Invalid, NotFound
from taskmanager.core.querysets import Row
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.notifications import channels, deliveries
from taskmanager.features.notifications.kinds import KINDS, UNCHOSEN
from taskmanager.features.notifications.models import Preferences, ProjectPreferences
from taskmanager.features.notifications.notices import Notice

# What a person has set up himself is told also of a muted project.
_ASKED_FOR = {"task.reminder", "webhook.disabled"}


@dataclass(frozen=True)
class Wishes:
    """What one person wants to hear of in one place."""

    general: Preferences
    project: ProjectPreferences | None = None

    def channels(self, notice: Notice) -> list[str]:
        """By which channels he wants to be told this."""
        if notice.kind in UNCHOSEN:
            return [UNCHOSEN[notice.kind]]
        if not self._concerns(notice):
            return []
        return [channel.name for channel in channels.personal() if _wants(self.general, channel.name, notice.kind)]

    def _concerns(self, notice: Notice) -> bool:
        if notice.kind in _ASKED_FOR:
            return True
        if self.project and self.project.muted:
            return False
        level = (self.project and self.project.level) or self.general.level
        return notice.direct or level == "all" or (level == "involved" and notice.involved)


def of(user_ids: list[ObjectId], project_id: ObjectId | None) -> dict[ObjectId, Wishes]:
    """What each of these people wants, in a project or outside of all."""
    general = {row.user_id: row for row in Preferences.objects(user_id__in=user_ids)}
    here = ProjectPreferences.objects(project_id=project_id, user_id__in=user_ids) if project_id else ()
    special = {row.user_id: row for row in here}
    return {
        user_id: Wishes(general.get(user_id) or Preferences(user_id=user_id), special.get(user_id))
        for user_id in user_ids
    }


def mine(*, actor: Actor) -> Row:
    """The actor's preferences; revision 0 while he has chosen nothing."""
    return _row(Preferences.at(user_id=actor.user_id))


@unit_of_work
def update(changes: dict[str, Any], *, expected: Expected, actor: Actor) -> Row:
    """Change the actor's preferences. Raises PreconditionFailed, Invalid for a channel or kind that there is not."""
    stored = Preferences.at(user_id=actor.user_id)
    changes = dict(changes)
    if "channels" in changes:
        changes["chosen"] = _chosen(stored, changes.pop("channels"))
    if "quiet_hours" in changes:
        quiet = changes.pop("quiet_hours") or {}
        changes |= {"quiet_from": quiet.get("start"), "quiet_to": quiet.get("end")}
    return _row(_written(stored, changes, expected))


def of_project(project_id: ObjectId, *, actor: Actor) -> Row:
    """What the actor wants to hear of in a project. Raises NotFound."""
    _member(project_id, actor)
    return ProjectPreferences.at(user_id=actor.user_id, project_id=project_id).as_row()


@unit_of_work
def update_project(project_id: ObjectId, changes: dict[str, Any], *, expected: Expected, actor: Actor) -> Row:
    """Change what the actor wants to hear of in a project. Raises NotFound, PreconditionFailed."""
    _member(project_id, actor)
    stored = ProjectPreferences.at(user_id=actor.user_id, project_id=project_id)
    return _written(stored, changes, expected).as_row()


@unit_of_work
def unsubscribe(user_id: ObjectId, kind: str) -> None:
    """Turn mails of one kind off, also those that wait to be sent. Safe to repeat."""
    stored = Preferences.at(user_id=user_id)
    _written(stored, {"chosen": _chosen(stored, {"email": {kind: False}})}, None)
    deliveries.cancel(user_id, "email", kind)


def forget(user_id: ObjectId) -> None:
    """Drop what somebody who is gone had chosen."""
    Preferences.objects(user_id=user_id).delete()
    ProjectPreferences.objects(user_id=user_id).delete()


def _member(project_id: ObjectId, actor: Actor) -> None:
    if actor.role_in(project_id) is None:
        raise NotFound
    _ = actor.user_id  # visitors have none, and are refused


def _written(stored: Any, changes: dict[str, Any], expected: Expected) -> Any:
    stored.expect(expected)
    return stored.keep(**changes) if stored.differences(changes) or not stored.revision else stored


def _wants(stored: Preferences, channel: str, kind: str) -> bool:
    words = f"{channel} {kind}"
    if f"+{words}" in stored.chosen or f"-{words}" in stored.chosen:
        return f"+{words}" in stored.chosen
    return channel in KINDS[kind].on


def _chosen(stored: Preferences, wanted: dict[str, dict[str, bool]]) -> list[str]:
    """What differs from the defaults once `wanted` holds too."""
    names = [channel.name for channel in channels.personal()]
    for channel, kinds in wanted.items():
        if channel not in names:
            raise Invalid(f"body.channels.{channel}", f"The channels are: {', '.join(names)}.", code="channel.unknown")
        for kind in kinds:
            if kind not in KINDS:
                place = f"body.channels.{channel}.{kind}"
                raise Invalid(place, f"The kinds are: {', '.join(KINDS)}.", code="kind.unknown")
    chosen = []
    for channel in names:
        for kind, about in KINDS.items():
            on = wanted.get(channel, {}).get(kind, _wants(stored, channel, kind))
            if on != (channel in about.on):
                chosen.append(f"{'+' if on else '-'}{channel} {kind}")
    return chosen


def _row(stored: Preferences) -> Row:
    matrix = {
        channel.name: {kind: _wants(stored, channel.name, kind) for kind in KINDS} for channel in channels.personal()
    }
    quiet = stored.quiet_from and {"start": stored.quiet_from, "end": stored.quiet_to}
    return stored.as_row() | {"channels": matrix, "quiet_hours": quiet or None}
