"""What becomes of the ways into projects that an account gave to others, when the account is recovered."""

from mongoengine import Q

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.members import ways_in
from taskmanager.features.projects.models import Invitation, ShareLink
from taskmanager.features.users.holdings import MAX_STEP, Recovery


@unit_of_work
def recover_links(recovery: Recovery) -> int:
    """Delete the share links that an earlier holder of the account made, and let the others end, MAX_STEP of each.

    Return how many there were.
    """
    untouched = ShareLink.objects(created_by=recovery.user.id, updated_at__lt=recovery.at)
    good = untouched.filter(Q(expires_at=None) | Q(expires_at__gt=recovery.at))
    older, newer = recovery.of_earlier_holder(untouched), recovery.of_owner(good)
    number, actor = older.count() + newer.count(), Actor(recovery.user.id)
    ways_in.delete_links(list(older.limit(MAX_STEP)), actor=actor)
    ways_in.expire_links(list(newer.limit(MAX_STEP)), actor=actor)
    return number


@unit_of_work
def revoke_invitations(recovery: Recovery) -> int:
    """Take back the invitations by an account that were not answered yet, MAX_STEP of them.

    Return how many there were.
    """
    waiting = Invitation.objects(invited_by=recovery.user.id, state="pending", created_at__lt=recovery.at)
    number = waiting.count()
    ways_in.revoke_invitations(list(waiting.limit(MAX_STEP)), actor=Actor(recovery.user.id))
    return int(number)
