"""What people want to hear of: read from their preferences, for everybody who tells them something."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bson import ObjectId

from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.kinds import KINDS, UNCHOSEN
from taskmanager.features.notifications.models import Preferences, ProjectPreferences
from taskmanager.features.users import service as users

# What users have set up themselves is told also of a muted project.
_ASKED_FOR = {"task.reminder", "webhook.disabled", "share_links.closed"}


@dataclass(frozen=True)
class NotificationPolicy:
    """What one person wants to hear of, in general and in some projects; `able`: the account is not disabled."""

    general: Preferences
    able: bool = True
    projects: dict[ObjectId, ProjectPreferences] = field(default_factory=dict)

    def channels(self, notice: Notice) -> list[str]:
        """Return by which channels the user is to be told this; of a disabled account nothing but what
        is about itself.
        """
        if notice.kind in UNCHOSEN:
            return [UNCHOSEN[notice.kind]]
        if not self.able or not self._concerns(notice):
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
    """Return what the recipients of these notices want, in the projects that they are about."""
    found = list(notices)
    user_ids = list({notice.recipient_id for notice in found})
    choosing = [notice.recipient_id for notice in found if notice.kind not in UNCHOSEN]
    able = users.active_user_ids(choosing) if choosing else set()
    general = {row.user_id: row for row in Preferences.objects(user_id__in=user_ids)}
    projects = _of_projects(user_ids, list({notice.project_id for notice in found if notice.project_id}))
    return {
        user_id: NotificationPolicy(
            general.get(user_id) or Preferences(user_id=user_id), user_id in able, projects.get(user_id, {})
        )
        for user_id in user_ids
    }


def _of_projects(
    user_ids: list[ObjectId], project_ids: list[ObjectId]
) -> dict[ObjectId, dict[ObjectId, ProjectPreferences]]:
    found: dict[ObjectId, dict[ObjectId, ProjectPreferences]] = {}
    if project_ids:
        for row in ProjectPreferences.objects(user_id__in=user_ids, project_id__in=project_ids):
            found.setdefault(row.user_id, {})[row.project_id] = row
    return found


def is_wanted(stored: Preferences, channel: str, kind: str) -> bool:
    """Return whether a channel tells a kind: by what was chosen, else by the defaults."""
    words = f"{channel} {kind}"
    if f"+{words}" in stored.chosen or f"-{words}" in stored.chosen:
        return f"+{words}" in stored.chosen
    return channel in KINDS[kind].on
