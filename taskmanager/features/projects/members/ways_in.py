"""Ends share links and invitations, by which accounts give others access to projects: many by a few commands.

Call these functions in the transaction that has read the documents.
"""

from collections.abc import Sequence

from taskmanager.core.clock import now
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.features.projects.events import InvitationRevoked, ShareLinkDeleted, ShareLinkUpdated
from taskmanager.features.projects.invitations.service import PURPOSE
from taskmanager.features.projects.models import Invitation, ShareLink
from taskmanager.features.users import one_time_tokens


def delete_links(links: Sequence[ShareLink], *, actor: Actor) -> None:
    """Delete these share links: their visitors are refused from the next request on."""
    if links:
        ShareLink.objects(id__in=[link.id for link in links]).delete()
    for link in links:
        record(ShareLinkDeleted(link, actor))


def expire_links(links: Sequence[ShareLink], *, actor: Actor) -> None:
    """Let these share links expire now; setting a later `expires_at` enables them again."""
    moment = now()
    changes = [link.differences({"expires_at": moment}) for link in links]
    ShareLink.write_all(links, expires_at=moment)
    for link, differences in zip(links, changes, strict=True):
        record(ShareLinkUpdated(link, actor, differences))


def revoke_invitations(invitations: Sequence[Invitation], *, actor: Actor) -> None:
    """Revoke these invitations, and invalidate the tokens of their mails."""
    if invitations:
        one_time_tokens.invalidate(PURPOSE, *[invitation.id for invitation in invitations])
    Invitation.write_all(invitations, state="revoked")
    for invitation in invitations:
        record(InvitationRevoked(invitation, actor))
