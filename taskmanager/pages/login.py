"""Pages to log in, with the second factor where the account has one, to register and to log out."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from taskmanager.core import registry
from taskmanager.core.configuration import settings
from taskmanager.core.http.links import OPS
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext
from taskmanager.features.users import registrations, service as users
from taskmanager.features.users.schemas import Credentials, Registration
from taskmanager.features.users.second_factor import service as totp
from taskmanager.features.users.second_factor.schemas import SecondStep
from taskmanager.features.users.sessions import budgets, service as sessions
from taskmanager.features.users.sessions.service import Login
from taskmanager.features.users.signup import policy
from taskmanager.pages import cookies, errors, forms
from taskmanager.pages.blueprint import next_page, page, redirect
from taskmanager.pages.forms import PageField, PageForm


@page("/login", public=True)
def show() -> Response:
    """Return the form to log in; who is logged in goes on."""
    return redirect(next_page()) if cookies.actor() else forms.show(_login())


@page("/login", methods=("POST",), public=True, in_maintenance=True)
def log_in() -> Response:
    """Log in, or ask for the second factor."""
    return forms.attempt(_login(), lambda: go_on(_start_session(forms.read(Credentials)), next_page()))


@page("/second-factor", methods=("POST",), public=True, in_maintenance=True)
def finish() -> Response:
    """Finish a login by a code."""
    form = _second_step(request.form.get("ticket", ""), next_page())
    return forms.attempt(form, lambda: go_on(_finish_session(forms.read(SecondStep)), next_page()))


@page("/register", public=True)
def show_registration() -> Response:
    """Return the form to make an account, or who makes accounts where sign-up is closed."""
    if policy.is_closed():
        text = errors.message(403, "signup.closed")
        return forms.tell(gettext("Make an account"), text, links=((gettext("Log in"), with_next("/login")),))
    return forms.show(_registration())


@page("/register", methods=("POST",), public=True)
def register() -> Response:
    """Make an account and log in; where addresses must be confirmed first, say that a mail comes."""
    return forms.attempt(_registration(), lambda: _register(forms.read(Registration)))


@page("/logout", methods=("POST",), public=True, in_maintenance=True)
def log_out() -> Response:
    """End the session, and go to the login."""
    if actor := cookies.actor():
        sessions.logout(actor=actor)
    cookies.end()
    return redirect(f"{cookies.area()}/login?{urlencode({'next': next_page()})}")


@budgets.login_of_address
@budgets.login_of_account
def _start_session(credentials: dict[str, Any]) -> Login | str:
    return sessions.login(**credentials, **_origin())


@budgets.second_step
def _finish_session(step: dict[str, Any]) -> Login:
    return totp.finish_login(**step, **_origin())


@budgets.registration
def _register(data: dict[str, Any]) -> Response:
    data |= {"locale": languages.current()}
    if not settings.current().require_verified_email:
        users.register(**data)
        return go_on(sessions.login(email=data["email"], password=data["password"], **_origin()), next_page())
    registrations.request(**data)
    return forms.tell(
        gettext("Look into your mail"),
        gettext("We have sent a mail to %(address)s. Open its link, then log in.", address=data["email"]),
        gettext("If you came here by an invitation, open the link of the invitation again after that."),
        links=((gettext("Log in"), with_next("/login")),),
    )


def go_on(started: Login | str, path: str) -> Response:
    """Go to a page with the session, or ask for the second factor of a ticket."""
    if isinstance(started, str):
        return forms.show(_second_step(started, path))
    sessions.expire_after(started.session, settings.current().page_session_hours)
    cookies.begin(started.user.id, started.session.id)
    return redirect(path)


def _origin() -> dict[str, str]:
    return {"user_agent": request.user_agent.string, "address": request.remote_addr or ""}


def _login() -> PageForm:
    return PageForm(
        gettext("Log in"),
        gettext("Log in"),
        "/login",
        fields=(
            forms.email_field(request.args.get("email", "")[:254]),
            PageField("password", gettext("Password"), "password", "current-password"),
        ),
        hidden={"next": next_page()},
        links=() if cookies.area() == OPS else _ways_in(),
    )


def _ways_in() -> tuple[tuple[str, str], ...]:
    return (*_provider(), *_methods(), (gettext("Set a new password"), "/forgotten-password"), *_new_account())


def _new_account() -> tuple[tuple[str, str], ...]:
    """Return the link to make an account, unless sign-up is closed."""
    return () if policy.is_closed() else ((gettext("Make an account"), with_next("/register")),)


def _provider() -> tuple[tuple[str, str], ...]:
    """Return the link to the login provider, if there is one."""
    known = settings.current()
    words = gettext("Log in with %(name)s", name=known.oidc_name)
    return ((words, with_next("/login/provider")),) if known.oidc_issuer else ()


def _methods() -> Iterator[tuple[str, str]]:
    """Yield the links to the login methods of plugins that a form can ask for."""
    for feature in registry.current().features:
        for method in feature.login_methods:
            if forms.can_ask_for(method.schema):
                yield method.title, with_next(f"/login/x/{feature.name}/{method.name}")


def _second_step(ticket: str, path: str) -> PageForm:
    code = PageField("code", gettext("Code"), autocomplete="one-time-code")
    text = gettext("Enter the code that your authenticator app shows, or one of your recovery codes.")
    return PageForm(
        gettext("Second factor"),
        gettext("Log in"),
        "/second-factor",
        (text,),
        (code,),
        hidden={"ticket": ticket, "next": path},
        links=((gettext("Begin again"), with_next("/login")),),
    )


def _registration() -> PageForm:
    return PageForm(
        gettext("Make an account"),
        gettext("Make the account"),
        "/register",
        fields=(
            forms.email_field(request.args.get("email", "")[:254]),
            PageField("name", gettext("Name"), autocomplete="name", hint=gettext("Members of your projects see it.")),
            forms.new_password_field(),
        ),
        hidden={"next": next_page()},
        links=((gettext("Log in to an account that you have"), with_next("/login")),),
    )


def with_next(path: str) -> str:
    """Return the path of a page that leads to the page which follows this login."""
    return f"{path}?{urlencode({'next': next_page()})}"
