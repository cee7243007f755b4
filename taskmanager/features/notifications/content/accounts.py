"""Notices about accounts, always sent by mail.

A writer returns an empty list when the notice no longer holds, for instance because its token was used.
"""

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.features.notifications.content.quoting import inline
from taskmanager.features.notifications.content.registry import Notice, api_url, writes
from taskmanager.features.users import service as users
from taskmanager.features.users.models import User
from taskmanager.features.users.recovery import service as recovery

_MAX_WRONG_CODES = 3  # of the second factor, in a row; then the user is notified
_RECOVERY = (
    "It works once. It ends all sessions, API tokens, share links and open invitations of the account, removes\n"
    "its phone number and turns its webhooks off."
)
_WAS_IT_YOU = "If that was not you, reset your password: that ends what others may have set up.\n"


@writes("user.registered")
def _welcome(event: Event) -> list[Notice]:
    if event.actor_id not in (None, event.subject_id):
        return _made_by_administrator(event)
    return _verification(event, users.address_of(event.subject_id))


def _made_by_administrator(event: Event) -> list[Notice]:
    """Let the owner of the address set the first password; nothing, when the administrator has set one."""
    email = users.address_of(event.subject_id)
    prepared = recovery.prepare_takeover(email, event.id) if email else None
    if prepared is None:
        return []
    user, token = prepared
    text = (
        "an administrator has made an account for you. To set your password, which also confirms your address, send\n"
        f"this with the new password to {api_url('/auth/password-reset/confirm')}:\n\n"
        f"    {token.text()}\n\n"
        f"It works once, for {settings.current().password_reset_minutes} minutes. After that, ask for a new password.\n"
    )
    return [Notice(user.id, _profile(user), "An account was made for you", text)]


@writes("email_verification.requested")
def _verification_again(event: Event) -> list[Notice]:
    return _verification(event, event.data["email"])


@writes("registration.repeated")
def _repeated(event: Event) -> list[Notice]:
    """Notify the owner of an address that it was registered a second time.

    An account that is not confirmed may have the password of another person. So the mail does not confirm the address:
    it lets the owner of the address set a password, which also confirms it.
    """
    if event.subject_id is None:
        return []
    prepared = recovery.prepare_takeover(event.data["email"], event.id)
    if prepared is None:
        text = (
            "someone tried to create an account with this address, which has one already. If that was you, log in\n"
            "or ask for a new password. If it was not you, there is nothing you need to do.\n"
        )
        return _to_owner(event.subject_id, "You have an account already", text, budget="claim")
    user, token = prepared
    text = (
        "someone tried to create an account with this address more than once, and it is not confirmed yet. To\n"
        f"make the account yours, send this with a new password to {api_url('/auth/password-reset/confirm')}:\n\n"
        f"    {token.text()}\n\n"
        f"{_RECOVERY} If you did not ask for an account, ignore this mail.\n"
    )
    return [Notice(user.id, _profile(user), "Set a password for your account", text, budget="claim")]


@writes("password_reset.requested")
def _reset(event: Event) -> list[Notice]:
    prepared = recovery.prepare_reset(event.data["email"], event.id)
    if prepared is None:
        return []
    user, token = prepared
    minutes = settings.current().password_reset_minutes
    text = (
        f"to set a new password, send this within {minutes} minutes to {api_url('/auth/password-reset/confirm')}:\n\n"
        f"    {token.text()}\n\n"
        f"{_RECOVERY} If you did not ask for it, ignore this mail.\n"
    )
    return [Notice(user.id, _profile(user), "A new password", text)]


@writes("user.password_changed")
def _password_changed(event: Event) -> list[Notice]:
    text = (
        f"your password was changed, and your other sessions have ended.{_ended(event)} If that was not you, ask for\n"
        f"a new password at {api_url('/auth/password-reset')} at once.\n"
    )
    return _to_owner(event.subject_id, "Your password was changed", text)


_ENDED = {
    "api_tokens": "API tokens",
    "second_factors": "second factors",
    "identities": "logins by a provider",
    "webhooks": "webhooks",
    "share_links": "share links",
    "invitations": "invitations",
    "phones": "phone numbers",
}


def _ended(event: Event) -> str:
    """Return a sentence about what a recovery ended, or an empty text."""
    ended = event.data.get("ended") or {}
    counts = [f"{name}: {ended[collection]}" for collection, name in _ENDED.items() if collection in ended]
    return f" This ended, too: {', '.join(counts)}." if counts else ""


@writes("user.email_changed")
def _address_changed(event: Event) -> list[Notice]:
    """Notify the address that the account had before."""
    text = "your account has a new address now, as was confirmed here. No more mail will be sent to this address.\n"
    return [Notice(event.subject_id, {"name": "", "email": event.data["before"]}, "Your address was changed", text)]


@writes("login.failed_repeatedly")
def _failures(event: Event) -> list[Notice]:
    text = (
        f"logins to your account failed {settings.current().lockout_failures} times in a short while, the last\n"
        f"one from {_origin(event)}. Further tries from there are refused for a while. If that was not you, your\n"
        "password has not been guessed; make sure that it is long and used nowhere else.\n"
    )
    return _to_owner(event.subject_id, "Logins to your account failed", text, budget="warning")


# Kinds of events with a fixed notice: (subject, text).
_PLAIN = {
    "totp.enabled": (
        "Your second factor is on",
        f"logging in to your account needs a code from your authenticator app from now on.\n{_WAS_IT_YOU}",
    ),
    "totp.disabled": (
        "Your second factor is off",
        "your second factor was turned off. If that was not you, change your password and turn it on again.\n",
    ),
    "totp.recovery_codes_renewed": (
        "You have new recovery codes",
        f"your account has new recovery codes; the earlier ones no longer work.\n{_WAS_IT_YOU}",
    ),
    "phone.verified": (
        "Your phone number was confirmed",
        f"text messages to you go to another phone number from now on.\n{_WAS_IT_YOU}",
    ),
}


@writes(*_PLAIN)
def _plain(event: Event) -> list[Notice]:
    return _to_owner(event.subject_id, *_PLAIN[event.kind])


@writes("token.created")
def _token_created(event: Event) -> list[Notice]:
    name, scopes = inline(event.data["name"]), ", ".join(event.data["scopes"])
    text = (
        f"an API token was created for your account, from {_origin(event)}:\n\n    {name}\n\n"
        f"It may: {scopes}.\n{_WAS_IT_YOU}"
    )
    return _to_owner(event.subject_id, "An API token was created", text)


@writes("identity.linked")
def _linked(event: Event) -> list[Notice]:
    text = f"a login as you at {event.data['issuer']} opens your account from now on.\n{_WAS_IT_YOU}"
    return _to_owner(event.subject_id, "A login provider was linked", text)


@writes("totp.failed")
def _totp_failures(event: Event) -> list[Notice]:
    """Notify the user once, at the third wrong code in a row: the password was correct."""
    if event.data["failures"] != _MAX_WRONG_CODES:
        return []
    text = (
        f"someone at {_origin(event)} knows your password and entered {_MAX_WRONG_CODES} wrong codes after it.\n"
        "If that was not you, change your password.\n"
    )
    return _to_owner(event.subject_id, "Wrong codes for your account", text)


@writes("totp.recovery_code_used")
def _recovery_used(event: Event) -> list[Notice]:
    text = (
        f"a recovery code of your account was used from {_origin(event)}. If that was not you, change your password.\n"
    )
    return _to_owner(event.subject_id, "A recovery code was used", text)


@writes("session.ended")
def _reused(event: Event) -> list[Notice]:
    """Notify the user that a refresh token was used a second time: it may have been stolen."""
    if event.data["because"] != "reuse":
        return []
    text = (
        "a refresh token of one of your sessions was used twice, the second time from\n"
        f"{_origin(event)}. It may have been copied, so that session was ended. Log in again, and change your\n"
        "password if you do not know why this happened.\n"
    )
    return _to_owner(event.subject_id, "A session was ended for safety", text)


def _verification(event: Event, email: str | None) -> list[Notice]:
    prepared = email and recovery.prepare_verification(email, event.id)
    if not prepared:
        return []
    user, token = prepared
    hours = settings.current().email_token_hours
    text = (
        f"to confirm this address, send this within {hours} hours to {api_url('/auth/verify-email')}:\n\n"
        f"    {token.text()}\n\n"
        "If you did not ask for an account, ignore this mail: its password is not known to you.\n"
    )
    return [Notice(user.id, _profile(user), "Confirm your address", text, budget="claim")]


@writes("user.email_change_requested")
def _change_of_address(event: Event) -> list[Notice]:
    """Ask both the old and the new address to confirm a change."""
    return [*_address_confirmation(event, "old"), *_address_confirmation(event, "new")]


def _address_confirmation(event: Event, which: str) -> list[Notice]:
    token_id = event.id if which == "new" else ObjectId(event.id.binary[::-1])
    prepared = recovery.prepare_email_change(event.subject_id, which, token_id)
    if prepared is None:
        return []
    user, token = prepared
    text = (
        f"to move your account to {inline(user.new_email)}, send this to {api_url('/users/me/email/confirm')}:\n\n"
        f"    {token.text()}\n\n"
        "The other address may get such a mail, too; then both must confirm. If you did not ask for it, reset your\n"
        "password: that ends the change.\n"
    )
    recipient = user.id if which == "new" else token.id  # one mail for each of the two
    to = {"name": user.name if which == "old" else "", "email": token.email}
    budget = "claim" if which == "new" else "account"
    return [Notice(recipient, to, "Confirm your new address", text, budget=budget)]


def _to_owner(user_id: ObjectId | None, subject: str, text: str, budget: str = "account") -> list[Notice]:
    profile = user_id and users.public_profiles([user_id]).get(user_id)
    return [Notice(user_id, profile, subject, text, budget=budget)] if user_id and profile and profile["email"] else []


def _origin(event: Event) -> str:
    """Return the network address that an event came from."""
    return str(event.correlation.get("address") or "an unknown address")


def _profile(user: User) -> dict[str, str]:
    return {"name": user.name, "email": user.email}
