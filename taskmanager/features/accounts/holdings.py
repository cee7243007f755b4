"""The holdings of an account: each collection that refers to accounts, and what a recovery ends in it.

`tests/architecture/test_holdings.py` fails when a collection refers to an account and is not in this list.
"""

from taskmanager.core.events.log import Event
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.comments.models import Comment
from taskmanager.features.notifications import recovery as notifications
from taskmanager.features.notifications.models import (
    Delivery,
    Inbox,
    Notification,
    Phone,
    Preferences,
    ProjectPreferences,
)
from taskmanager.features.projects import recovery as projects
from taskmanager.features.projects.models import Invitation, Membership, ShareLink
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.relations.models import Relation
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users import one_time_tokens
from taskmanager.features.users.holdings import Holding, Recovery
from taskmanager.features.users.models import ApiToken, Identity, SecondFactor, Session
from taskmanager.features.users.one_time_tokens import OneTimeToken
from taskmanager.features.users.second_factor import service as totp
from taskmanager.features.users.sessions import service as sessions
from taskmanager.features.users.sso import service as identities
from taskmanager.features.users.tokens import service as api_tokens
from taskmanager.features.views.models import View
from taskmanager.features.webhooks import recovery as webhooks
from taskmanager.features.webhooks.models import Webhook


def _end_sessions(recovery: Recovery) -> int:
    return sessions.end_all(recovery.user, because="password")


def _revoke_tokens(recovery: Recovery) -> int:
    return api_tokens.revoke_all(recovery.user)


def _withdraw_links(recovery: Recovery) -> int:
    """Invalidate all links in mails, also those of a pending change of address, which `set_password` cancels."""
    return one_time_tokens.invalidate_all(recovery.user.id)


_CONTENT = "content of projects, which others see and need: it gives no access"
_OWN = "only the account reads it: it reveals nothing to others"

HOLDINGS = (
    # access to the account
    Holding(Session, "user_id", "a running login", _end_sessions),
    Holding(ApiToken, "user_id", "a login of a program", _revoke_tokens),
    Holding(OneTimeToken, "subject_id", "a link in a mail: reset, change of address, second step", _withdraw_links),
    Holding(SecondFactor, "user_id", "it would lock the owner out; the owner's own stays", totp.recover),
    Holding(Identity, "user_id", "a login by a provider; the owner's own stays", identities.recover),
    # access that the account gives to others
    Holding(Webhook, "owner_id", "it sends events to an address of their choice", webhooks.recover, stepwise=True),
    Holding(ShareLink, "created_by", "it lets other people read a project", projects.recover_links, stepwise=True),
    Holding(
        Invitation,
        "invited_by",
        "it gives others a role",
        projects.revoke_invitations,
        stepwise=True,
    ),
    Holding(Phone, "user_id", "it gets the notifications of the account", notifications.remove_phone),
    Holding(Preferences, "user_id", "they may hide notifications from the owner", notifications.reset_preferences),
    Holding(ProjectPreferences, "user_id", "as preferences", notifications.reset_project_preferences, stepwise=True),
    # holdings that stay
    Holding(Invitation, "user_id", "an offer by others, which the owner may refuse"),
    Holding(Membership, "user_id", "rights that others gave to the account; its owner may leave"),
    Holding(Notification, "user_id", _OWN),
    Holding(Notification, "actor_id", _OWN),
    Holding(Inbox, "user_id", _OWN),
    Holding(Reminder, "user_id", _OWN),
    Holding(View, "owner_id", _CONTENT),
    Holding(Delivery, "recipient_id", "rendered when it is sent, for the recipient at that time"),
    Holding(Task, "assignee_ids", _CONTENT),
    Holding(Task, "watcher_ids", _CONTENT),
    Holding(Task, "reporter_id", _CONTENT),
    Holding(Task, "purged_by", _CONTENT),
    Holding(Comment, "author_id", _CONTENT),
    Holding(Comment, "mentioned_ids", _CONTENT),
    Holding(Attachment, "uploader_id", _CONTENT),
    Holding(Relation, "created_by", _CONTENT),
    Holding(Event, "actor_id", "the log is never changed"),
    Holding(Event, "subject_id", "the log is never changed"),
    Holding(Event, "accounts", "the log is never changed"),
)
