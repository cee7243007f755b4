"""What is left of an account that its owner deletes: an id without a person."""

import hashlib
from datetime import timedelta
from typing import Any

from taskmanager.core import remembered
from taskmanager.core.access import Actor
from taskmanager.core.clock import now
from taskmanager.core.documents import Versioned
from taskmanager.core.errors import Forbidden
from taskmanager.core.events import Event
from taskmanager.core.unit_of_work import finish_now, unit_of_work
from taskmanager.features.users import administration, lockout, passwords, sessions
from taskmanager.features.users import service as users
from taskmanager.features.users.models import ApiToken, Identity, SecondFactor, Session, User
from taskmanager.features.users.one_time import OneTimeToken

FRESH = timedelta(minutes=10)
_OWNED: tuple[type[Versioned], ...] = (Session, ApiToken, SecondFactor, Identity)
# What the log remembers of a person: names, addresses of mail and network.
_PERSONAL = dict.fromkeys(("data.changes", "data.before", "data.address", "data.email", "correlation.address"), 1)


def may_leave(user: User, *, actor: Actor) -> None:
    """Raise Forbidden (`auth.fresh_login_needed`) unless the actor has just logged in, Conflict (`user.last_admin`)."""
    session = sessions.get(actor.session_id, actor=actor) if actor.session_id else None
    if session is None or now() - session["created_at"] > FRESH:
        minutes = int(FRESH.total_seconds() // 60)
        raise Forbidden(
            f"Log in again: this needs a login of the last {minutes} minutes.", code="auth.fresh_login_needed"
        )
    if user.role == "admin":
        administration.keep_an_admin(user)


@unit_of_work
def anonymise(user: User) -> User:
    """Remove all that tells who it was, and every way to act; what others need keeps pointing at the id."""
    sessions.end_all(user, because="deleted")
    for kind in _OWNED:
        kind.objects(user_id=user.id).delete()
    OneTimeToken.objects(subject_id=user.id).delete()
    lockout.lift(user.email)
    _scrub_log(user)
    user = user.write(**_nobody(user))
    users.rights_changed([user.id])
    remembered.forget("card", user.id)
    return user


def _nobody(user: User) -> dict[str, Any]:
    return {
        "email": f"deleted-{user.id}@deleted.invalid",
        "name": "Deleted user",
        "password_hash": passwords.UNUSABLE,
        "role": "user",
        "disabled_at": now(),
        "deleted_at": now(),
        "email_verified_at": None,
        "new_email": None,
        "new_email_confirmed": None,
    }


def _scrub_log(user: User) -> None:
    address = hashlib.sha256(user.email.encode()).hexdigest()[:24]
    finish_now()  # what was recorded in this unit of work tells who it was, too
    streams = {"$in": [f"user:{user.id}", f"address:{address}"]}
    Event._get_collection().update_many({"stream": streams}, {"$unset": _PERSONAL})
