"""Errors as pages, for browsers: the same problem, status and headers as in the API, in words for people."""

import math
from typing import Any

from flask import Response, request

from taskmanager.core.http.links import OPS, PAGES
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext, marked, ngettext
from taskmanager.core.security.access import Actor
from taskmanager.pages import cookies, rendering
from taskmanager.web.authentication.actors import known_actor

_TITLE = marked("This did not work")
_TITLES = {
    404: marked("This page does not exist"),
    403: marked("This is not allowed"),
    429: marked("Too many tries"),
    503: marked("The service is not available"),
}
_BY_STATUS = {
    403: marked("Your role does not allow this."),
    404: marked("There is no such page, or you may not see it. Check the address, or ask who sent you the link."),
    405: marked("This address takes a form only: go back, and use the button there."),
    409: marked("The present state does not allow this."),
    412: marked("It was changed meanwhile. Here is its present state: try again."),
    413: marked("The form has too much text."),
    429: marked("Wait a moment, then try again."),
    503: marked("Try again in a moment. Nothing was lost."),
}
_BY_CODE = {
    "auth.invalid_credentials": marked("The address or the password is wrong."),
    "auth.email_unverified": marked("Confirm your address first: the link is in your mail."),
    "auth.invalid_code": marked("The code is wrong, or the login took too long."),
    "auth.oidc_email_taken": marked(
        "This address has an account already that is not linked: log in with its password."
    ),
    "auth.oidc_no_email": marked("The login provider did not send your address."),
    "auth.oidc_refused": marked("The login provider did not confirm your login. Log in again."),
    "auth.oidc_unavailable": marked("The login provider does not respond. Try again in a moment."),
    "auth.oidc_unverified": marked("Confirm your address at the login provider first."),
    "auth.locked": marked("There were too many wrong tries. Wait before the next one."),
    "page.form_expired": marked("This form has expired. Open the page again and repeat your input."),
    "password.too_common": marked("This password is among those that attackers try first: choose another."),
    "project.archived": marked("The project is archived: it can only be read."),
    "quota.memberships": marked("You are in too many projects."),
    "quota.members": marked("The project has too many members."),
    "service.maintenance": marked(
        "The service is in maintenance: you can read everything, but change nothing. Try again later."
    ),
    "signup.closed": marked("Accounts are made by the administrators of this service."),
    "signup.domain_not_allowed": marked("Addresses of this domain need an invitation."),
    "signup.not_invited": marked("Accounts are made by invitation only: ask a member of a project to invite you."),
    "task.blocked": marked("Another task must be completed before this one."),
    "task.status_unknown": marked("The project has no such status any more."),
    "token.invalid": marked("This link was used, has expired, or was replaced by a newer one."),
    "user.email_taken": marked("This address has an account already: log in, or set a new password."),
}
_UNKNOWN = marked("Something went wrong. Try again; if it stays, tell the operator of this service.")
_OF_PAGES = {"page.form_expired", "token.invalid"}  # they have a page of their own


def message(status: int, code: str) -> str:
    """Return what an error means, and what to do, in the present language."""
    text = _BY_CODE.get(code) or _BY_STATUS.get(status)
    return gettext(text or _UNKNOWN)


def is_known(code: str) -> bool:
    """Return whether there is a message about errors with this code, which a form shows above its fields."""
    return code in _BY_CODE and code not in _OF_PAGES


def waiting(seconds: int) -> str:
    """Return a sentence about how long to wait."""
    minutes = math.ceil(seconds / 60)
    return ngettext("Try again in %(number)s minute.", "Try again in %(number)s minutes.", minutes)


def language() -> str:
    """Return the language of this request: that of the account, else the first one that the browser prefers."""
    actor = cookies.actor()
    return _language_of(actor)


def _language_of(actor: Actor | None) -> str:
    accepted = [tag for tag, quality in request.accept_languages if quality > 0]
    return actor.locale if actor else languages.negotiate(accepted)


def as_page(response: Response) -> Response:
    """Return the page about a problem below the path of the pages, if the client asks for HTML."""
    if response.mimetype != "application/problem+json" or not _is_for_a_browser():
        return response
    actor = known_actor()  # nothing is read here: the database may be away
    with languages.using(_language_of(actor)):
        page = _page_of(response.get_json(), response.status_code, response.headers.get("Retry-After"))
    for name, value in response.headers.items():
        if name not in ("Content-Type", "Content-Length", "WWW-Authenticate"):
            page.headers.setdefault(name, value)
    return page


def _page_of(problem: dict[str, Any], status: int, retry_after: str | None) -> Response:
    title = gettext(_TITLES.get(status, _TITLE))
    text = [message(status, problem["code"])]
    if status == 429 and retry_after:
        text.append(waiting(int(retry_after)))
    reference = problem["request_id"] if status >= 500 else ""
    return rendering.render_for(None, "error.html", status, title=title, text=text, reference=reference)


def _is_for_a_browser() -> bool:
    below = cookies.is_below(PAGES) or cookies.is_below(OPS)
    return below and any(name == "text/html" and quality > 0 for name, quality in request.accept_mimetypes)
