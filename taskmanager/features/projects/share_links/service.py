"""Use cases of share links: they let people without an account read one project.

The link is read on every request of a visitor, so changes, expiry and deletion apply at once. A link without a password
needs only its token (`tl_…`). A link with a password needs both, and opens a visit (`ts_…`) whose code depends on the
link's nonce and on the hash of its password: the visit ends when the password is changed or removed.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Forbidden, Invalid, Unauthenticated
from taskmanager.core.events.log import record
from taskmanager.core.security import signed_tokens
from taskmanager.core.security.access import SHARE_LINK, SHARE_VISIT, Actor, Visitor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import ShareLinkCreated, ShareLinkDeleted, ShareLinkUpdated
from taskmanager.features.projects.models import Membership, Project, ShareLink
from taskmanager.features.projects.permissions import LINK_ROLES, ProjectAction
from taskmanager.features.users import passwords, service as users

MAX_LINKS = 100  # of one project

_READS = frozenset({"projects:read", "tasks:read", "comments:read"})
_SCOPES = {"viewer": _READS, "commenter": _READS | {"comments:write"}}


@dataclass(frozen=True)
class Visit:
    """A link that was opened, with the visitor's access token and the seconds until it expires."""

    access_token: str
    seconds: int
    link: ShareLink


def create(project_id: ObjectId, data: dict[str, Any], *, actor: Actor) -> Row:
    """Make a link to a project.

    Raises NotFound, Forbidden (`share_link.role_too_high`), Invalid (`share_link.past`), Conflict
    (`share_link.too_many`).
    """
    _check_manager(project_id, actor)  # before the hash, which costs a quarter of a second
    data = _hashed(data)
    return _create(project_id, data, actor=actor)


@unit_of_work
def _create(project_id: ObjectId, data: dict[str, Any], *, actor: Actor) -> Row:
    _check_manager(project_id, actor)
    _check(data)
    if ShareLink.objects(project_id=project_id).count() >= MAX_LINKS:
        raise Conflict(f"A project has at most {MAX_LINKS} share links.", code="share_link.too_many")
    link = ShareLink(project_id=project_id, created_by=actor.user_id, nonce=signed_tokens.make_nonce(), **data)
    link.save(force_insert=True)
    record(ShareLinkCreated(link, actor))
    return _represent(link)


def visible(project_id: ObjectId, actor: Actor) -> Described:
    """Return the links of a project with their tokens. Raises NotFound, Forbidden."""
    _check_manager(project_id, actor)
    links = ShareLink.objects(project_id=project_id)
    return Described(links, lambda rows: [_represent_row(row) for row in rows], needed=("nonce", "password_hash"))


def get(project_id: ObjectId, link_id: ObjectId, *, actor: Actor) -> Row:
    """Return one link with its token. Raises NotFound, Forbidden."""
    return _represent(_one(project_id, link_id, actor))


def update(project_id: ObjectId, link_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> Row:
    """Change a link; another password ends its visits. Raises NotFound, Forbidden, PreconditionFailed, Invalid."""
    _check_manager(project_id, actor)  # before the hash, which costs a quarter of a second
    ShareLink.objects(project_id=project_id).check_exists(link_id)
    return _update(project_id, link_id, _hashed(changes), if_match=if_match, actor=actor)


@unit_of_work
def _update(
    project_id: ObjectId, link_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor
) -> Row:
    link = _one(project_id, link_id, actor)
    link.check_revision(if_match)
    _check(changes)
    differences = link.differences(changes)
    if not differences:
        return _represent(link)
    link = link.write(**{field: after for field, (_, after) in differences.items()})
    if differences.pop("password_hash", None):
        differences["has_password"] = [None, link.password_hash is not None]
    record(ShareLinkUpdated(link, actor, differences))
    return _represent(link)


@unit_of_work
def delete(project_id: ObjectId, link_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a link: its visitors are refused from the next request. Raises NotFound, Forbidden, PreconditionFailed."""
    link = _one(project_id, link_id, actor)
    link.check_revision(if_match)
    ShareLink.objects(id=link.id, revision=link.revision).delete()
    record(ShareLinkDeleted(link, actor))


def open_link(token: str, password: str | None = None) -> Visit:
    """Begin a visit. Raises Unauthenticated (`auth.invalid_token`, `share_link.wrong_password`)."""
    link = _live(token)
    if link is None:
        raise Unauthenticated("This share link is not valid or has expired.", code="auth.invalid_token")
    if link.password_hash and not passwords.matches(password or "", link.password_hash):
        raise Unauthenticated("The password of this share link is wrong.", code="share_link.wrong_password")
    until = now() + timedelta(minutes=settings.current().share_visit_minutes)
    until = min(until, link.expires_at or until)
    seconds = max(0, int((until - now()).total_seconds()))
    return Visit(_visit_token(link, until), seconds, link)


def visitor(token: str) -> Visitor | None:
    """Return the visitor with this token of a link or of a visit; None when it is no longer valid."""
    link = _link_of_visit(token) if token.startswith(SHARE_VISIT) else _live(token)
    if link is None or (link.password_hash and not token.startswith(SHARE_VISIT)):
        return None
    return Visitor(project_roles={link.project_id: link.role}, scopes=_SCOPES[link.role], link_id=link.id)


def _represent(link: ShareLink) -> Row:
    """Return a link as managers see it: with its token, and whether it has a password."""
    return _represent_row(link.as_row())


def _represent_row(row: Row) -> Row:
    public = {name: value for name, value in row.items() if name not in ("nonce", "password_hash")}
    token = signed_tokens.sign(SHARE_LINK, row["_id"], nonce=row["nonce"])
    return {**public, "token": token, "has_password": "password_hash" in row}


def _hashed(data: dict[str, Any]) -> dict[str, Any]:
    if "password" not in data:
        return data
    password = data["password"]
    rest = {name: value for name, value in data.items() if name != "password"}
    return {**rest, "password_hash": passwords.make_hash(password) if password is not None else None}


def _check(data: dict[str, Any]) -> None:
    if data.get("role", "viewer") not in LINK_ROLES:
        raise Forbidden("A share link gives no such role.", code="share_link.role_too_high")
    if data.get("expires_at") and data["expires_at"] <= now():
        raise Invalid("body.expires_at", "This time is in the past.", code="share_link.past")


def _check_manager(project_id: ObjectId, actor: Actor) -> None:
    """Raise NotFound, Forbidden unless the actor may manage the links of the project."""
    authorize(actor, ProjectAction.MANAGE_LINKS, Project.objects.visible_to(actor).one(project_id))


def _one(project_id: ObjectId, link_id: ObjectId, actor: Actor) -> ShareLink:
    _check_manager(project_id, actor)
    return ShareLink.objects(project_id=project_id).one(link_id)


def _live(token: str) -> ShareLink | None:
    """Return the link of a token `tl_…`; None when the link or its project is not available."""
    known = signed_tokens.verify(SHARE_LINK, token)
    if known is None or len(known.ids) != 1:
        return None
    link = _load(known.ids[0])
    return link if link and compare_digest(link.nonce, known.nonce) else None


def _link_of_visit(token: str) -> ShareLink | None:
    """Return the link of a token `ts_…`; None when the visit has expired or the link's password was changed."""
    known = signed_tokens.verify(SHARE_VISIT, token)
    if known is None or len(known.ids) != 2:
        return None
    link_id, until = known.ids
    if int.from_bytes(until.binary) <= now().timestamp():
        return None
    link = _load(link_id)
    return link if link and compare_digest(_visit_nonce(link, until), known.nonce) else None


def _load(link_id: ObjectId) -> ShareLink | None:
    """Return a link that has not expired, of a project that is not deleted, with an active creator; else None."""
    link = ShareLink.objects(id=link_id).first()
    if link is None or link.role not in LINK_ROLES or (link.expires_at and link.expires_at <= now()):
        return None
    alive = Project.objects(id=link.project_id).alive().only("id").first()
    return link if alive and _has_active_creator(link) else None


def _has_active_creator(link: ShareLink) -> bool:
    """Return whether the creator is still a member, active, and not recovered since.

    So a disabled account cannot read by its own links.
    """
    membership = Membership.objects(project_id=link.project_id, user_id=link.created_by).only("id").first()
    return membership is not None and users.stands_for(link.created_by, link.updated_at)


def _visit_token(link: ShareLink, until: datetime) -> str:
    moment = ObjectId(int(until.timestamp()).to_bytes(12))  # a signed token contains ids; a timestamp fits into one
    return signed_tokens.sign(SHARE_VISIT, link.id, moment, nonce=_visit_nonce(link, moment))


def _visit_nonce(link: ShareLink, moment: ObjectId) -> bytes:
    state = link.nonce + moment.binary + (link.password_hash or "").encode()
    return hashlib.sha256(state).digest()[: len(link.nonce)]
