"""All pages: this module imports those that have routes, and registers them."""

from flask import Flask

from taskmanager.pages import (
    assets,
    blueprint,
    invitations,
    login,
    mails,
    plugin_logins,
    projects,
    provider,
    recovery,
    tasks,
)
from taskmanager.pages.live import board, stream

_PAGES = (
    assets,
    board,
    invitations,
    login,
    mails,
    plugin_logins,
    projects,
    provider,
    recovery,
    stream,
    tasks,
)  # each adds its routes to the blueprint


def init_app(app: Flask) -> None:
    """Register the pages."""
    blueprint.init_app(app)
