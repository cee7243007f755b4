"""Log in on pages by the login provider of the settings; its second redirect URI is that of `finish`."""

from flask import Response, session

from taskmanager.core.http import links
from taskmanager.features.users.sso import oidc, routes as sso
from taskmanager.pages import login, rendering
from taskmanager.pages.blueprint import next_page, page

_NEXT = "next_page"


@page("/login/provider", public=True)
def begin() -> Response:
    """Go to the login provider."""
    response = oidc.redirect(links.page("/login/provider/callback"))
    session[_NEXT] = next_page()
    return rendering.secured(response)


@page("/login/provider/callback", public=True)
def finish() -> Response:
    """Log in the user whom the provider has sent back; the state in the browser's cookie proves the request."""
    return login.go_on(sso.finish(), session.pop(_NEXT, links.PAGES))
