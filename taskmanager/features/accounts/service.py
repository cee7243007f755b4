"""Use cases of an account as a whole: export and deletion."""

from collections.abc import Iterable, Iterator

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.listings import all_rows
from taskmanager.core.storage.orders import CREATED, HAPPENED, Row
from taskmanager.core.storage.unit_of_work import long_unit_of_work
from taskmanager.features.audit import service as audit
from taskmanager.features.comments.models import Comment
from taskmanager.features.notifications.models import Notification, Phone, ProjectPreferences
from taskmanager.features.notifications.preferences import service as preferences
from taskmanager.features.projects.members import account_deletion
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users import deletion
from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.events import UserDeleted
from taskmanager.features.users.models import ApiToken, Session, User
from taskmanager.features.views.models import View
from taskmanager.features.webhooks import service as webhooks
from taskmanager.features.webhooks.models import Webhook

_PAGE = 200
MAX_SECONDS = 4.0  # of the transaction that deletes an account with a thousand memberships


@long_unit_of_work(MAX_SECONDS)
def delete(*, if_match: IfMatch, actor: Actor) -> None:
    """Delete the actor's account with its personal data; content that others need stays.

    Raises PreconditionFailed, Forbidden (`auth.fresh_login_needed`), Conflict (`user.last_owner`, `user.last_admin`).
    """
    user = User.objects.one(actor.user_id)
    user.check_revision(if_match)
    deletion.check_deletion(user, actor=actor)
    _delete(user, actor)


@long_unit_of_work(MAX_SECONDS)
def delete_by_operator(email: str) -> None:
    """Delete an account from the command line, as its user would.

    Raises NotFound, Conflict (`user.last_owner`, `user.last_admin`).
    """
    user = administration.by_email(email)
    if user.role == "admin":
        administration.keep_an_admin(user)
    _delete(user, Actor(user.id))


def _delete(user: User, actor: Actor) -> None:
    project_ids = account_deletion.leave_all(actor=actor)
    user, streams = deletion.anonymise(user)
    record(UserDeleted(user, project_ids=project_ids, streams=streams))


def finish_deletion(user_id: ObjectId, streams: list[str]) -> None:
    """Delete the rest of a deleted account, some documents in each transaction. Safe to repeat."""
    deletion.erase(user_id, streams)
    account_deletion.close(user_id)


def delete_private(user_id: ObjectId) -> None:
    """Delete the private content of a deleted account: reminders and views that are not shared. Safe to repeat.

    Its assignments in projects end with its memberships.
    """
    Reminder.objects(user_id=user_id).delete()
    View.objects(owner_id=user_id, shared=False).delete()


def exported_account(*, actor: Actor) -> Row:
    """Return the actor's own account."""
    return User.objects.row(actor.user_id)


def exported_sessions(*, actor: Actor) -> Iterator[Row]:
    """Yield the account's sessions, including those that have ended."""
    for row in Session.objects(user_id=actor.user_id).as_pymongo():
        yield row | {"current": row["_id"] == actor.session_id}


def exported_tokens(*, actor: Actor) -> Iterator[Row]:
    """Yield the account's API tokens."""
    yield from ApiToken.objects(user_id=actor.user_id).as_pymongo()


def exported_memberships(*, actor: Actor) -> Iterator[Row]:
    """Yield the account's memberships with the names of the projects."""
    names = dict(Project.objects.visible_to(actor).scalar("id", "name"))
    for row in Membership.objects(user_id=actor.user_id).as_pymongo():
        if row["project_id"] in names:
            yield row | {"project_name": names[row["project_id"]]}


def exported_tasks(*, actor: Actor) -> Iterator[Row]:
    """Yield the visible tasks that the actor made or is assigned to, with one page in memory at a time."""
    for row in all_rows(Task.objects.visible_to(actor), CREATED, _PAGE):
        if actor.user_id in (row["reporter_id"], *row.get("assignee_ids", ())):
            yield row


def exported_comments(*, actor: Actor) -> Iterator[Row]:
    """Yield the actor's comments on visible tasks."""
    for row in Comment.objects(author_id=actor.user_id).order_by("created_at", "id").as_pymongo():
        if Task.objects.visible_to(actor).filter(id=row["task_id"]).only("id").first():
            yield row


def exported_reminders(*, actor: Actor) -> Iterator[Row]:
    """Yield the actor's reminders."""
    yield from Reminder.objects(user_id=actor.user_id).as_pymongo()


def exported_views(*, actor: Actor) -> Iterator[Row]:
    """Yield the actor's views."""
    yield from View.objects(owner_id=actor.user_id).as_pymongo()


def exported_notifications(*, actor: Actor) -> Iterator[Row]:
    """Yield the actor's notifications of visible projects."""
    yield from _visible(Notification.objects(user_id=actor.user_id).order_by("created_at", "id").as_pymongo(), actor)


def exported_preferences(*, actor: Actor) -> Iterator[Row]:
    """Yield the actor's notification preferences."""
    yield preferences.get_own(actor=actor)


def exported_project_preferences(*, actor: Actor) -> Iterator[Row]:
    """Yield the actor's notification preferences for single projects."""
    yield from _visible(ProjectPreferences.objects(user_id=actor.user_id).as_pymongo(), actor)


def exported_phones(*, actor: Actor) -> Iterator[Row]:
    """Yield the actor's phone number, if there is one."""
    yield from Phone.objects(user_id=actor.user_id).as_pymongo()


def exported_webhooks(*, actor: Actor) -> Iterator[Row]:
    """Yield the actor's webhooks, also those for visible projects."""
    yield from map(webhooks.with_state, _visible(Webhook.objects(owner_id=actor.user_id).as_pymongo(), actor))


def exported_events(*, actor: Actor) -> Iterator[Row]:
    """Yield the entries of the audit log about the account, with one page in memory at a time."""
    yield from all_rows(audit.visible_own(actor, until=now()), HAPPENED, _PAGE)


def _visible(rows: Iterable[Row], actor: Actor) -> Iterator[Row]:
    """Yield the rows that belong to no project, or to a project that the actor may see."""
    return (row for row in rows if row.get("project_id") is None or row["project_id"] in actor.project_roles)
