"""Recovery of an account: ends the access to projects that it gave to others."""

from mongoengine import Q

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.members import ways_in
from taskmanager.features.projects.models import Invitation, ShareLink
from taskmanager.features.users.holdings import MAX_STEP, Recovery


@unit_of_work
def recover_links(recovery: Recovery) -> int:
    """Delete the share links of an earlier holder of the account, and let its other links expire, MAX_STEP of each.

    Return how many there were to end.
    """
    untouched = ShareLink.objects(created_by=recovery.user.id, updated_at__lt=recovery.at)
    unexpired = untouched.filter(Q(expires_at=None) | Q(expires_at__gt=recovery.at))
    older, newer = recovery.of_earlier_holder(untouched), recovery.of_owner(unexpired)
    number, actor = older.count() + newer.count(), Actor(recovery.user.id)
    ways_in.delete_links(list(older.limit(MAX_STEP)), actor=actor)
    ways_in.expire_links(list(newer.limit(MAX_STEP)), actor=actor)
    return number


@unit_of_work
def revoke_invitations(recovery: Recovery) -> int:
    """Revoke the pending invitations by an account, MAX_STEP of them. Return how many there were to revoke."""
    waiting = Invitation.objects(invited_by=recovery.user.id, state="pending", created_at__lt=recovery.at)
    number = waiting.count()
    ways_in.revoke_invitations(list(waiting.limit(MAX_STEP)), actor=Actor(recovery.user.id))
    return int(number)
