"""Notices that let owners of addresses confirm them: of a new account, and of a change of address."""

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.core.http import links
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext, ngettext
from taskmanager.features.notifications.content.quoting import inline
from taskmanager.features.notifications.content.registry import (
    Notice,
    call_to_action,
    in_language_of_subject,
    writes,
)
from taskmanager.features.users.models import User
from taskmanager.features.users.recovery import service as recovery


@writes("email_verification.requested")
def _verification_again(event: Event) -> list[Notice]:
    return verification(event, event.data["email"])


@writes("user.email_changed")
@in_language_of_subject
def _address_changed(event: Event) -> list[Notice]:
    """Notify the address that the account had before."""
    text = gettext(
        "your account has a new address now, as was confirmed here. No more mail will be sent to this address."
    )
    to = {"name": "", "email": event.data["before"]}
    return [Notice(event.subject_id, to, gettext("Your address was changed"), f"{text}\n")]


def verification(event: Event, email: str | None) -> list[Notice]:
    """Return the notice with the link that confirms this address; none when it needs no confirmation."""
    prepared = email and recovery.prepare_verification(email, event.id)
    if not prepared:
        return []
    user, token = prepared
    hours = settings.current().email_token_hours
    with languages.using(user.locale):
        text = ngettext(
            "to confirm this address, open this link within %(number)s hour.",
            "to confirm this address, open this link within %(number)s hours.",
            hours,
        )
        call = call_to_action(gettext("Confirm the address"), links.confirmation(token.text()))
        last = gettext("If you did not ask for an account, ignore this mail: its password is not known to you.")
        text = f"{text}\n\n{call}\n\n{last}\n"
        return [Notice(user.id, profile(user), gettext("Confirm your address"), text, budget="claim", call=call)]


@writes("user.email_change_requested")
@in_language_of_subject
def _change_of_address(event: Event) -> list[Notice]:
    """Ask both the old and the new address to confirm a change."""
    return [*_address_confirmation(event, "old"), *_address_confirmation(event, "new")]


def _address_confirmation(event: Event, which: str) -> list[Notice]:
    token_id = event.id if which == "new" else ObjectId(event.id.binary[::-1])
    prepared = recovery.prepare_email_change(event.subject_id, which, token_id)
    if prepared is None:
        return []
    user, token = prepared
    call = call_to_action(gettext("Confirm the change"), links.address_change(token.text()))
    first = gettext("to move your account to %(address)s, open this link.", address=inline(user.new_email))
    last = gettext(
        "The other address may get such a mail, too; then both must confirm. If you did not ask for it, reset your"
        " password: that ends the change."
    )
    recipient = user.id if which == "new" else token.id  # one mail for each of the two
    to = {"name": user.name if which == "old" else "", "email": token.email}
    budget, subject = "claim" if which == "new" else "account", gettext("Confirm your new address")
    return [Notice(recipient, to, subject, f"{first}\n\n{call}\n\n{last}\n", budget=budget, call=call)]


def profile(user: User) -> dict[str, str]:
    """Return the recipient of a mail to the address of an account."""
    return {"name": user.name, "email": user.email}
