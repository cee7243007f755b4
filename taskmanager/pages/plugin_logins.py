"""Log in on pages by a method of a plugin: a form with the fields of its schema."""

from flask import Response, abort

from taskmanager.core import registry
from taskmanager.core.localization.languages import gettext
from taskmanager.features.users.login_methods import routes as logins
from taskmanager.features.users.login_methods.service import LoginMethod, LoginRefused
from taskmanager.pages import forms, login
from taskmanager.pages.blueprint import next_page, page
from taskmanager.pages.forms import PageForm

_ONE = "/login/x/<plugin>/<name>"


@page(_ONE, public=True)
def show(plugin: str, name: str) -> Response:
    """Return the form of a method."""
    return forms.show(_form(plugin, _method(plugin, name)))


@page(_ONE, methods=("POST",), public=True, in_maintenance=True)
def log_in(plugin: str, name: str) -> Response:
    """Log in by a method, or ask for the second factor; what the method refuses is in the words of the plugin."""
    method = _method(plugin, name)
    return forms.attempt(
        _form(plugin, method),
        lambda: login.go_on(logins.start(method, plugin, forms.read(method.schema)), next_page()),
        explained=(LoginRefused,),
    )


def _method(plugin: str, name: str) -> LoginMethod:
    found = (one for feature in registry.current().features if feature.name == plugin for one in feature.login_methods)
    method: LoginMethod | None = next((one for one in found if one.name == name), None)
    if method is None or not forms.can_ask_for(method.schema):
        abort(404)
    return method


def _form(plugin: str, method: LoginMethod) -> PageForm:
    return PageForm(
        method.title,
        gettext("Log in"),
        f"/login/x/{plugin}/{method.name}",
        fields=forms.fields_of(method.schema),
        hidden={"next": next_page()},
        links=((gettext("Other ways to log in"), login.with_next("/login")),),
    )
