"""Pages to confirm an address, a change of address, and to set a new password."""

from typing import Any

from flask import Response, request

from taskmanager.core.errors import TokenInvalid
from taskmanager.core.localization.languages import gettext
from taskmanager.features.users import one_time_tokens
from taskmanager.features.users.recovery import service as recovery
from taskmanager.features.users.schemas import AddressRequest, PasswordReset, TokenRequest
from taskmanager.features.users.sessions import budgets
from taskmanager.pages import forms
from taskmanager.pages.blueprint import page
from taskmanager.pages.forms import PageForm


@page("/confirm", public=True)
def show_confirmation() -> Response:
    """Ask whether to confirm the address that the token was sent to."""
    known = one_time_tokens.read(recovery.VERIFY, _token())
    if known is None:
        return _used_confirmation()
    text = gettext("Is %(address)s your address, and did you make an account with it?", address=known.email)
    return forms.ask(gettext("Confirm your address"), (text,), gettext("Confirm"), "/confirm", token=_token())


@page("/confirm", methods=("POST",), public=True)
def confirm() -> Response:
    """Confirm an address."""
    try:
        _confirm(forms.read(TokenRequest))
    except (TokenInvalid, forms.InvalidForm):
        return _used_confirmation()
    text = gettext("Your address is confirmed.")
    return forms.tell(gettext("Thank you"), text, links=((gettext("Go on"), ""),))


@page("/confirm/request", public=True)
def show_confirmation_request() -> Response:
    """Return the form that requests another mail to confirm an address."""
    return forms.show(_confirmation_request())


@page("/confirm/request", methods=("POST",), public=True)
def request_confirmation() -> Response:
    """Request another mail to confirm an address."""
    return forms.attempt(_confirmation_request(), lambda: _request_confirmation(forms.read(AddressRequest)))


@page("/address-change", public=True)
def show_address_change() -> Response:
    """Ask whether to confirm a change of address."""
    if not any(one_time_tokens.read(purpose, _token()) for purpose in recovery.CHANGE.values()):
        return _used_address_change()
    text = gettext("Your account gets its new address when all addresses that must confirm it have done so.")
    title = gettext("Confirm your new address")
    return forms.ask(title, (text,), gettext("Confirm"), "/address-change", token=_token())


@page("/address-change", methods=("POST",), public=True)
def change_address() -> Response:
    """Confirm a change of address."""
    try:
        changed = _change_address(forms.read(TokenRequest))
    except (TokenInvalid, forms.InvalidForm):
        return _used_address_change()
    done = gettext("Your account has its new address.")
    text = done if changed else gettext("Confirmed. Now open the link in the mail to the other address.")
    return forms.tell(gettext("Thank you"), text, links=((gettext("Go on"), ""),))


@page("/reset", public=True)
def show_reset() -> Response:
    """Return the form for a new password."""
    form = _reset()
    return forms.show(form) if form else _used_reset()


@page("/reset", methods=("POST",), public=True)
def reset() -> Response:
    """Set a new password."""
    form = _reset()
    try:
        return forms.attempt(form, lambda: _set_password(forms.read(PasswordReset))) if form else _used_reset()
    except TokenInvalid:
        return _used_reset()


@page("/forgotten-password", public=True)
def show_forgotten() -> Response:
    """Return the form that requests a mail to set a new password."""
    return forms.show(_forgotten())


@page("/forgotten-password", methods=("POST",), public=True)
def request_reset() -> Response:
    """Request a mail to set a new password."""
    return forms.attempt(_forgotten(), lambda: _request_reset(forms.read(AddressRequest)))


@budgets.one_time_token
def _confirm(data: dict[str, Any]) -> None:
    recovery.verify_email(data["token"])


@budgets.one_time_token
def _change_address(data: dict[str, Any]) -> bool:
    return recovery.confirm_email_change(data["token"])


@budgets.one_time_token
def _set_password(data: dict[str, Any]) -> Response:
    recovery.reset_password(data["token"], data["password"])
    text = gettext("Your new password is set, and all earlier logins have ended.")
    return forms.tell(gettext("Thank you"), text, links=((gettext("Log in"), "/login"),))


@budgets.mail_of_address
@budgets.mail_of_account
def _request_confirmation(data: dict[str, Any]) -> Response:
    recovery.request_verification(data["email"])
    return _mail_comes(gettext("If the address has an account that is not confirmed, a mail is on its way."))


@budgets.mail_of_address
@budgets.mail_of_account
def _request_reset(data: dict[str, Any]) -> Response:
    recovery.request_reset(data["email"])
    return _mail_comes(gettext("If the address has an account, a mail is on its way."))


def _mail_comes(text: str) -> Response:
    return forms.tell(gettext("Look into your mail"), text, gettext("Open the link in it."))


def _used_confirmation() -> Response:
    links = ((gettext("Request another mail"), "/confirm/request"), (gettext("Log in"), "/login"))
    text = gettext("If you have confirmed your address already, there is nothing left to do.")
    return _used(text, links)


def _used_address_change() -> Response:
    text = gettext("If the change is not done yet, log in where you requested it, and request it again.")
    return _used(text, ((gettext("Start page"), ""),))


def _used_reset() -> Response:
    links = ((gettext("Request another mail"), "/forgotten-password"), (gettext("Log in"), "/login"))
    return _used(gettext("Each link sets one password."), links)


def _used(text: str, links: tuple[tuple[str, str], ...]) -> Response:
    first = gettext("This link was used, has expired, or was replaced by a newer one.")
    return forms.tell(gettext("This link is not valid any more"), first, text, links=links, status=404)


def _confirmation_request() -> PageForm:
    text = gettext("We send you a new link to confirm the address of your account.")
    fields = (forms.email_field(),)
    return PageForm(gettext("Confirm your address"), gettext("Send the mail"), "/confirm/request", (text,), fields)


def _forgotten() -> PageForm:
    text = gettext("We send you a link by which you set a new password.")
    fields = (forms.email_field(),)
    return PageForm(gettext("Set a new password"), gettext("Send the mail"), "/forgotten-password", (text,), fields)


def _reset() -> PageForm | None:
    """Return the form for a new password; None when the token is not valid."""
    token = _token()
    known = one_time_tokens.read(recovery.RESET, token)
    if known is None:
        return None
    text = (
        gettext("For the account of %(address)s.", address=known.email),
        gettext(
            "All sessions, API tokens, share links and open invitations of the account end, its phone number is"
            " removed, and its webhooks are turned off."
        ),
    )
    title, fields = gettext("Set a new password"), (forms.new_password_field(),)
    return PageForm(title, gettext("Set the password"), "/reset", text, fields, hidden={"token": token})


def _token() -> str:
    return request.values.get("token", "")
