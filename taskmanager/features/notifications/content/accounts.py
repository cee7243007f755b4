"""Notices about accounts: always by mail.

A function answers nothing when there is nothing to tell any more, for instance because the token was used.
"""

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.features.notifications.content.quoting import words
from taskmanager.features.notifications.content.registry import Notice, url, writes
from taskmanager.features.users import service as users
from taskmanager.features.users.models import User
from taskmanager.features.users.recovery import service as recovery

_TOLD_FAILURES = 3  # wrong codes of the second factor
_RECOVERY = (
    "It works once. It ends all sessions, API tokens, share links and open invitations of the account, removes\n"
    "its phone number and turns its webhooks off."
)
_WAS_IT_YOU = "If that was not you, reset your password: that ends what others may have set up.\n"


@writes("user.registered")
def _welcome(event: Event) -> list[Notice]:
    return _verification(event, users.address_of(event.subject_id))


@writes("email_verification.requested")
def _verification_again(event: Event) -> list[Notice]:
    return _verification(event, event.data["email"])


@writes("registration.repeated")
def _repeated(event: Event) -> list[Notice]:
    """Return an address is registered a second time: its owner hears of it.

    While the account is not confirmed it may have the password of another person. So the mail does not confirm the
    address: it lets its owner set a password, which does.
    """
    if event.subject_id is None:
        return []
    prepared = recovery.prepare_takeover(event.data["email"], event.id)
    if prepared is None:
        text = (
            "someone asked for an account with this address, which has one already. If that was you, log in, or ask\n"
            "for a new password. If it was not, you need not do anything.\n"
        )
        return _to_owner(event.subject_id, "You have an account already", text, budget="claim")
    user, token = prepared
    text = (
        "an account with this address was asked for more than once, and the address is not confirmed yet. To make the\n"
        f"account yours, send this with a new password to {url('/auth/password-reset/confirm')}:\n\n"
        f"    {token.text()}\n\n"
        f"{_RECOVERY} If you did not ask for an account, do nothing.\n"
    )
    return [Notice(user.id, _card(user), "Set a password for your account", text, budget="claim")]


@writes("password_reset.requested")
def _reset(event: Event) -> list[Notice]:
    prepared = recovery.prepare_reset(event.data["email"], event.id)
    if prepared is None:
        return []
    user, token = prepared
    minutes = settings.current().password_reset_minutes
    text = (
        f"to set a new password send this within {minutes} minutes to {url('/auth/password-reset/confirm')}:\n\n"
        f"    {token.text()}\n\n"
        f"{_RECOVERY} If you did not ask for it, do nothing.\n"
    )
    return [Notice(user.id, _card(user), "A new password", text)]


@writes("user.password_changed")
def _password_changed(event: Event) -> list[Notice]:
    text = (
        f"your password was changed, and your other sessions have ended.{_ended(event)} If that was not you, ask for\n"
        f"a new password at {url('/auth/password-reset')} at once.\n"
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
    """Return a sentence about what a recovery ended, or none."""
    ended = event.data.get("ended") or {}
    words = [f"{name}: {ended[collection]}" for collection, name in _ENDED.items() if collection in ended]
    return f" What ended too: {', '.join(words)}." if words else ""


@writes("user.email_changed")
def _moved(event: Event) -> list[Notice]:
    """Return told to the address that the account had before."""
    text = "your account has another address now, as it was confirmed here. No more mail will come to this one.\n"
    return [Notice(event.subject_id, {"name": "", "email": event.data["before"]}, "Your address was changed", text)]


@writes("login.failed_repeatedly")
def _failures(event: Event) -> list[Notice]:
    text = (
        f"logins to your account failed {settings.current().lockout_failures} times in a short while, the last\n"
        f"one from {_origin(event)}. Further tries from there are refused for a while. If that was not you, your\n"
        "password has not been guessed; see that it is long and used nowhere else.\n"
    )
    return _to_owner(event.subject_id, "Logins to your account failed", text, budget="warning")


# What happened to an account, where that is all there is to say: (subject, text).
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
        f"your account has new recovery codes; the earlier ones are good no more.\n{_WAS_IT_YOU}",
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
def _token_made(event: Event) -> list[Notice]:
    name, scopes = words(event.data["name"]), ", ".join(event.data["scopes"])
    text = (
        f"an API token was made for your account, from {_origin(event)}:\n\n    {name}\n\n"
        f"It may: {scopes}.\n{_WAS_IT_YOU}"
    )
    return _to_owner(event.subject_id, "An API token was made", text)


@writes("identity.linked")
def _linked(event: Event) -> list[Notice]:
    text = f"whoever logs in as you at {event.data['issuer']} is logged in to your account from now on.\n{_WAS_IT_YOU}"
    return _to_owner(event.subject_id, "A login provider was linked", text)


@writes("totp.failed")
def _totp_failures(event: Event) -> list[Notice]:
    """Return told once, at the third wrong code in a row: whoever gets so far has the password."""
    if event.data["failures"] != _TOLD_FAILURES:
        return []
    text = (
        f"someone at {_origin(event)} knows your password and gave {_TOLD_FAILURES} wrong codes after it.\n"
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
    """Return a refresh token was used a second time: it may have been stolen, and the owner should know."""
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
        f"to confirm this address send this within {hours} hours to {url('/auth/verify-email')}:\n\n"
        f"    {token.text()}\n\n"
        "If you did not ask for an account, do nothing: whoever did has its password.\n"
    )
    return [Notice(user.id, _card(user), "Confirm your address", text, budget="claim")]


@writes("user.email_change_requested")
def _change_of_address(event: Event) -> list[Notice]:
    """Return the "old" and the "new" address are each asked to confirm a change."""
    return [*_asked(event, "old"), *_asked(event, "new")]


def _asked(event: Event, which: str) -> list[Notice]:
    token_id = event.id if which == "new" else ObjectId(event.id.binary[::-1])
    prepared = recovery.prepare_email_change(event.subject_id, which, token_id)
    if prepared is None:
        return []
    user, token = prepared
    text = (
        f"to move your account to {words(user.new_email)} send this to {url('/users/me/email/confirm')}:\n\n"
        f"    {token.text()}\n\n"
        "The other address may get such a mail too; then both must confirm. If you did not ask for it, reset your\n"
        "password: that ends the change.\n"
    )
    recipient = user.id if which == "new" else token.id  # one mail for each of the two
    to = {"name": user.name if which == "old" else "", "email": token.email}
    budget = "claim" if which == "new" else "account"
    return [Notice(recipient, to, "Confirm your new address", text, budget=budget)]


def _to_owner(user_id: ObjectId | None, subject: str, text: str, budget: str = "account") -> list[Notice]:
    card = user_id and users.public_profiles([user_id]).get(user_id)
    return [Notice(user_id, card, subject, text, budget=budget)] if user_id and card and card["email"] else []


def _origin(event: Event) -> str:
    """Return the network address that an event came from."""
    return str(event.correlation.get("address") or "an unknown address")


def _card(user: User) -> dict[str, str]:
    return {"name": user.name, "email": user.email}
