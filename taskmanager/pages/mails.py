"""The page that turns mails of a kind off, by the link in such a mail."""

from flask import Response, request

from taskmanager.core.localization.languages import gettext
from taskmanager.features.notifications.channels.email_channel import read_unsubscribe, titles
from taskmanager.features.notifications.preferences import service as preferences
from taskmanager.pages import forms
from taskmanager.pages.blueprint import page


@page("/unsubscribe", public=True)
def show() -> Response:
    """Ask whether to unsubscribe from mails of a kind."""
    token = request.args.get("token", "")
    found = read_unsubscribe(token)
    if found is None:
        return _unknown()
    text = gettext("You get mails about: %(titles)s.", titles=titles(found[1]))
    title = gettext("Unsubscribe from mails")
    return forms.ask(title, (text,), gettext("Unsubscribe"), "/unsubscribe", token=token)


@page("/unsubscribe", methods=("POST",), public=True)
def unsubscribe() -> Response:
    """Unsubscribe from mails of a kind."""
    found = read_unsubscribe(request.form.get("token", ""))
    if found is None:
        return _unknown()
    preferences.unsubscribe(*found)
    first = gettext("You will get no more mails about: %(titles)s.", titles=titles(found[1]))
    return forms.tell(gettext("Done"), first, gettext("You can turn them on again in your notification preferences."))


def _unknown() -> Response:
    text = gettext("Open the link of a newer mail.")
    return forms.tell(gettext("This link is not valid"), text, status=404)
