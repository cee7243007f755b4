"""What becomes of the ways into projects that an account gave to others, when the account is recovered."""

from collections.abc import Iterable
from datetime import datetime

from taskmanager.core.access import Actor
from taskmanager.core.clock import now
from taskmanager.core.events import record
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.projects.events import (
    InvitationRevoked,
    ShareLinkDeleted,
    ShareLinkUpdated,
)
from taskmanager.features.projects.invitations import PURPOSE
from taskmanager.features.projects.models import Invitation, ShareLink
from taskmanager.features.users import one_time
from taskmanager.features.users.holdings import is_of_earlier_holder
from taskmanager.features.users.models import User


@unit_of_work
def delete_links(links: Iterable[ShareLink], *, actor: Actor) -> int:
    """Delete these share links: their visitors are refused at their next request. Return how many."""
    found = list(links)
    for link in found:
        link.delete()
        record(ShareLinkDeleted(link, actor))
    return len(found)


@unit_of_work
def expire_links(links: Iterable[ShareLink], *, actor: Actor) -> int:
    """Let these share links end now; a later `expires_at` opens them again. Return how many."""
    found = [link for link in links if link.expires_at is None or link.expires_at > now()]
    for link in found:
        changes = {"expires_at": now()}
        record(ShareLinkUpdated(link.write(**changes), actor, link.differences(changes)))
    return len(found)


@unit_of_work
def recover_links(user: User, proved_at: datetime | None) -> int:
    """Delete the share links that an earlier holder of the account made, and let the others end. Return how many."""
    actor, older, newer = Actor(user.id), [], []
    for link in ShareLink.objects(created_by=user.id):
        (older if is_of_earlier_holder(link.created_at, proved_at) else newer).append(link)
    return delete_links(older, actor=actor) + expire_links(newer, actor=actor)


@unit_of_work
def revoke_invitations(user: User, proved_at: datetime | None) -> int:
    """Take back the invitations by an account that were not answered yet. Return how many."""
    waiting = list(Invitation.objects(invited_by=user.id, state="pending"))
    for invitation in waiting:
        one_time.withdraw(PURPOSE, invitation.id)
        record(InvitationRevoked(invitation.write(state="revoked"), Actor(user.id)))
    return len(waiting)
