"""Installed packages that extend the service: entry points in the group `taskmanager.plugins`.

Each points to a module with `init_app(app)`, which may register listeners, a blueprint under
`/api/v1/x/<name>` (`register_blueprint`) and settings of its own prefix (`TASKMANAGER_X_<NAME>_…`).
"""

from importlib.metadata import entry_points

import structlog
from flask import Flask

from taskmanager.core.configuration.settings import Settings, refuse_unknown_of_plugins
from taskmanager.core.errors import Misconfigured
from taskmanager.web.blueprint import Blueprint

log = structlog.get_logger("taskmanager.plugins")

GROUP = "taskmanager.plugins"


def init_app(app: Flask, settings: Settings) -> None:
    """Load every installed plugin, in order of name. Raises Misconfigured for one that cannot be loaded.

    So does a variable that begins like the settings of a plugin and is none of them.
    """
    if not settings.plugins_enabled:
        return
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            point.load().init_app(app)
        except Exception as error:
            raise Misconfigured(
                f"the plugin {point.name!r} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        log.info("plugin", name=point.name)
    for variable in refuse_unknown_of_plugins():
        log.warning("no plugin that is installed reads this variable", variable=variable)


def register_blueprint(app: Flask, blueprint: Blueprint) -> None:
    """Add a plugin's blueprint under `/api/v1/x/<name>`, with all conventions, to the document of version 1."""
    api = app.extensions["taskmanager-versions"]["v1"]
    api.register_blueprint(blueprint, name=f"x_{blueprint.name}", url_prefix=f"/api/v1/x/{blueprint.name}")
