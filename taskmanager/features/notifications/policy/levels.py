"""The notification policy of users, read from their preferences: which notices they get, by which channels."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bson import ObjectId

from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.kinds import KINDS, UNCHOSEN
from taskmanager.features.notifications.models import Preferences, ProjectPreferences
from taskmanager.features.users import service as users

# Notices about what the user has set up: also sent for a muted project.
_ASKED_FOR = {"task.reminder", "webhook.disabled", "share_links.closed"}


@dataclass(frozen=True)
class NotificationPolicy:
    """The preferences of one user, in general and by project; `active`: the account is not disabled."""

    general: Preferences
    active: bool = True
    projects: dict[ObjectId, ProjectPreferences] = field(default_factory=dict)

    def channels(self, notice: Notice) -> list[str]:
        """Return the names of the channels for this notice.

        A disabled account gets only notices about itself and codes.
        """
        if notice.kind in UNCHOSEN:
            return [UNCHOSEN[notice.kind]]
        if not self.active or not self._concerns(notice):
            return []
        chosen = [channel.name for channel in channels.personal() if is_wanted(self.general, channel.name, notice.kind)]
        return [name for name in chosen if name != "email" or not notice.mailed]

    def _concerns(self, notice: Notice) -> bool:
        if notice.kind in _ASKED_FOR:
            return True
        project = self.projects.get(notice.project_id) if notice.project_id else None
        if project and project.muted:
            return False
        level = (project and project.level) or self.general.level
        return notice.direct or level == "all" or (level == "involved" and notice.involved)


def load_policies(notices: Iterable[Notice]) -> dict[ObjectId, NotificationPolicy]:
    """Return {user id: policy} of the recipients of these notices, with the projects that the notices are about."""
    found = list(notices)
    user_ids = list({notice.recipient_id for notice in found})
    with_choice = [notice.recipient_id for notice in found if notice.kind not in UNCHOSEN]
    active = users.active_user_ids(with_choice) if with_choice else set()
    general = {row.user_id: row for row in Preferences.objects(user_id__in=user_ids)}
    projects = _project_preferences(user_ids, list({notice.project_id for notice in found if notice.project_id}))
    return {
        user_id: NotificationPolicy(
            general.get(user_id) or Preferences(user_id=user_id), user_id in active, projects.get(user_id, {})
        )
        for user_id in user_ids
    }


def _project_preferences(
    user_ids: list[ObjectId], project_ids: list[ObjectId]
) -> dict[ObjectId, dict[ObjectId, ProjectPreferences]]:
    found: dict[ObjectId, dict[ObjectId, ProjectPreferences]] = {}
    if project_ids:
        for row in ProjectPreferences.objects(user_id__in=user_ids, project_id__in=project_ids):
            found.setdefault(row.user_id, {})[row.project_id] = row
    return found


def is_wanted(stored: Preferences, channel: str, kind: str) -> bool:
    """Return whether a channel sends a kind: as the user chose, else by default."""
    choice = f"{channel} {kind}"
    if f"+{choice}" in stored.chosen or f"-{choice}" in stored.chosen:
        return f"+{choice}" in stored.chosen
    return channel in KINDS[kind].on
