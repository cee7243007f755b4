"""Notices about accounts, always sent by mail, in the language of the account.

A writer returns an empty list when the notice no longer holds, for instance because its token was used.
"""

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.core.http import links
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext, marked, ngettext
from taskmanager.features.notifications.content.addresses import profile, verification
from taskmanager.features.notifications.content.quoting import inline
from taskmanager.features.notifications.content.registry import (
    Notice,
    call_to_action,
    in_language_of_subject,
    writes,
)
from taskmanager.features.users import service as users
from taskmanager.features.users.models import User
from taskmanager.features.users.one_time_tokens import OneTimeToken
from taskmanager.features.users.recovery import service as recovery

_MAX_WRONG_CODES = 3  # of the second factor, in a row; then the user is notified


@writes("user.registered")
@in_language_of_subject
def _welcome(event: Event) -> list[Notice]:
    if event.actor_id not in (None, event.subject_id):
        return _made_by_administrator(event)
    return verification(event, users.address_of(event.subject_id))


def _made_by_administrator(event: Event) -> list[Notice]:
    """Let the owner of the address set the first password; nothing, when the administrator has set one."""
    email = users.address_of(event.subject_id)
    prepared = recovery.prepare_takeover(email, event.id) if email else None
    if prepared is None:
        return []
    user, token = prepared
    call = call_to_action(gettext("Set a password"), links.password_reset(token.text()))
    text = gettext("an administrator has made an account for you. Set your password; that also confirms your address.")
    last = ngettext(
        "The link works once, for %(number)s minute. After that, ask for a new password.",
        "The link works once, for %(number)s minutes. After that, ask for a new password.",
        settings.current().password_reset_minutes,
    )
    subject = gettext("An account was made for you")
    return [Notice(user.id, profile(user), subject, f"{text}\n\n{call}\n\n{last}\n", call=call)]


@writes("registration.repeated")
@in_language_of_subject
def _repeated(event: Event) -> list[Notice]:
    """Notify the owner of an address that it was registered a second time.

    An account that is not confirmed may have the password of another person. So the mail does not confirm the address:
    it lets the owner of the address set a password, which also confirms it.
    """
    if event.subject_id is None:
        return []
    prepared = recovery.prepare_takeover(event.data["email"], event.id)
    if prepared is None:
        text = gettext(
            "someone tried to create an account with this address, which has one already. If that was you, log in"
            " or ask for a new password. If it was not you, there is nothing you need to do."
        )
        call = call_to_action(gettext("Log in"), links.page("/login"))
        subject = gettext("You have an account already")
        return _to_owner(event.subject_id, subject, f"{text}\n\n{call}\n", budget="claim", call=call)
    text = gettext(
        "someone tried to create an account with this address more than once, and it is not confirmed yet. To make the"
        " account yours, set a new password."
    )
    ignored = gettext("If you did not ask for an account, ignore this mail.")
    return [_with_reset(*prepared, gettext("Set a password for your account"), text, ignored, budget="claim")]


@writes("password_reset.requested")
def _reset(event: Event) -> list[Notice]:
    prepared = recovery.prepare_reset(event.data["email"], event.id)
    if prepared is None:
        return []
    minutes = settings.current().password_reset_minutes
    with languages.using(prepared[0].locale):
        text = ngettext(
            "to set a new password, open this link within %(number)s minute.",
            "to set a new password, open this link within %(number)s minutes.",
            minutes,
        )
        ignored = gettext("If you did not ask for it, ignore this mail.")
        return [_with_reset(*prepared, gettext("A new password"), text, ignored)]


def _with_reset(user: User, token: OneTimeToken, subject: str, text: str, last: str, budget: str = "account") -> Notice:
    call = call_to_action(gettext("Set a new password"), links.password_reset(token.text()))
    what = gettext(
        "The link works once. It ends all sessions, API tokens, share links and open invitations of the account,"
        " removes its phone number and turns its webhooks off."
    )
    return Notice(user.id, profile(user), subject, f"{text}\n\n{call}\n\n{what} {last}\n", budget=budget, call=call)


@writes("user.password_changed")
@in_language_of_subject
def _password_changed(event: Event) -> list[Notice]:
    text = gettext("your password was changed, and your other sessions have ended.") + _ended(event)
    call = call_to_action(gettext("Set a new password"), links.forgotten_password())
    last = gettext("If that was not you, set a new password at once.")
    return _to_owner(event.subject_id, gettext("Your password was changed"), f"{text} {last}\n\n{call}\n", call=call)


_ENDED = {
    "api_tokens": marked("API tokens"),
    "second_factors": marked("second factors"),
    "identities": marked("logins by a provider"),
    "webhooks": marked("webhooks"),
    "share_links": marked("share links"),
    "invitations": marked("invitations"),
    "phones": marked("phone numbers"),
}


def _ended(event: Event) -> str:
    """Return a sentence about what a recovery ended, or an empty text."""
    ended = event.data.get("ended") or {}
    counts = [f"{gettext(name)}: {ended[collection]}" for collection, name in _ENDED.items() if collection in ended]
    return " " + gettext("This ended, too: %(list)s.", list=", ".join(counts)) if counts else ""


@writes("login.failed_repeatedly")
@in_language_of_subject
def _failures(event: Event) -> list[Notice]:
    text = ngettext(
        "a login to your account failed, from %(address)s. Further tries from there are refused for a while.",
        "logins to your account failed %(number)s times in a short while, the last one from %(address)s. Further tries"
        " from there are refused for a while.",
        settings.current().lockout_failures,
        address=_origin(event),
    )
    last = gettext(
        "If that was not you, your password has not been guessed; make sure that it is long and used nowhere else."
    )
    subject = gettext("Logins to your account failed")
    return _to_owner(event.subject_id, subject, f"{text} {last}\n", budget="warning")


# Kinds of events with a fixed notice: (subject, text, what to do).
_RESET = marked("If that was not you, reset your password: that ends what others may have set up.")
_PLAIN = {
    "totp.enabled": (
        marked("Your second factor is on"),
        marked("logging in to your account needs a code from your authenticator app from now on."),
        _RESET,
    ),
    "totp.disabled": (
        marked("Your second factor is off"),
        marked("your second factor was turned off."),
        marked("If that was not you, change your password and turn it on again."),
    ),
    "totp.recovery_codes_renewed": (
        marked("You have new recovery codes"),
        marked("your account has new recovery codes; the earlier ones no longer work."),
        _RESET,
    ),
    "phone.verified": (
        marked("Your phone number was confirmed"),
        marked("text messages to you go to another phone number from now on."),
        _RESET,
    ),
}


@writes(*_PLAIN)
@in_language_of_subject
def _plain(event: Event) -> list[Notice]:
    subject, text, last = map(gettext, _PLAIN[event.kind])
    return _warning(event, subject, text, last)


@writes("token.created")
@in_language_of_subject
def _token_created(event: Event) -> list[Notice]:
    first = gettext("an API token was created for your account, from %(address)s:", address=_origin(event))
    scopes = gettext("It may: %(scopes)s.", scopes=", ".join(event.data["scopes"]))
    text = f"{first}\n\n    {inline(event.data['name'])}\n\n{scopes}"
    return _warning(event, gettext("An API token was created"), text)


@writes("identity.linked")
@in_language_of_subject
def _linked(event: Event) -> list[Notice]:
    text = gettext("a login as you at %(issuer)s opens your account from now on.", issuer=event.data["issuer"])
    return _warning(event, gettext("A login provider was linked"), text)


@writes("totp.failed")
@in_language_of_subject
def _totp_failures(event: Event) -> list[Notice]:
    """Notify the user once, at the third wrong code in a row: the password was correct."""
    if event.data["failures"] != _MAX_WRONG_CODES:
        return []
    text = gettext(
        "someone at %(address)s knows your password and entered %(number)s wrong codes after it.",
        address=_origin(event),
        number=_MAX_WRONG_CODES,
    )
    last = gettext("If that was not you, change your password.")
    return _warning(event, gettext("Wrong codes for your account"), text, last)


@writes("totp.recovery_code_used")
@in_language_of_subject
def _recovery_used(event: Event) -> list[Notice]:
    text = gettext("a recovery code of your account was used from %(address)s.", address=_origin(event))
    last = gettext("If that was not you, change your password.")
    return _warning(event, gettext("A recovery code was used"), text, last)


@writes("session.ended")
@in_language_of_subject
def _reused(event: Event) -> list[Notice]:
    """Notify the user that a refresh token was used a second time: it may have been stolen."""
    if event.data["because"] != "reuse":
        return []
    text = gettext(
        "a refresh token of one of your sessions was used twice, the second time from %(address)s. It may have been"
        " copied, so that session was ended.",
        address=_origin(event),
    )
    last = gettext("Log in again, and change your password if you do not know why this happened.")
    return _warning(event, gettext("A session was ended for safety"), text, last)


def _warning(event: Event, subject: str, text: str, last: str | None = None) -> list[Notice]:
    """Return the notice of something that the user may not have done, with a link to set a new password."""
    call = call_to_action(gettext("Set a new password"), links.forgotten_password())
    return _to_owner(event.subject_id, subject, f"{text}\n\n{last or gettext(_RESET)}\n\n{call}\n", call=call)


def _to_owner(
    user_id: ObjectId | None, subject: str, text: str, budget: str = "account", call: str = ""
) -> list[Notice]:
    profile = user_id and users.public_profiles([user_id]).get(user_id)
    if not (user_id and profile and profile["email"]):
        return []
    return [Notice(user_id, profile, subject, text, budget=budget, call=call)]


def _origin(event: Event) -> str:
    """Return the network address that an event came from."""
    return str(event.correlation.get("address") or gettext("an unknown address"))
