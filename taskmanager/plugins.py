"""Plugins: installed packages that extend the service by an entry point in the group `taskmanager.plugins`.

Each entry point names a Feature, or a module that has one as `FEATURE`. See docs/plugins.md.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import structlog

from taskmanager.core import registry
from taskmanager.core.configuration.settings import Settings, refuse_unknown_of_plugins
from taskmanager.core.errors import Misconfigured
from taskmanager.feature import INTERFACE, Feature, malformed
from taskmanager.plugin_names import installed

log = structlog.get_logger("taskmanager.plugins")

_NAME = re.compile("[a-z][a-z0-9_]{0,29}")
_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")


def load(settings: Settings) -> tuple[Feature, ...]:
    """Load all installed plugins, in the order of their names.

    Raises Misconfigured for a plugin that cannot be loaded, and for a variable that has the prefix of a plugin's
    settings and is none of them.
    """
    if not settings.plugins_enabled:
        return ()
    found = tuple(loaded(point) for point in installed())
    unread_variables(found)
    return found


def unread_variables(plugins: Iterable[Feature]) -> list[str]:
    """Return the variables for plugins that none of these plugins reads. Raises Misconfigured for a misspelled one."""
    return refuse_unknown_of_plugins(plugin.settings for plugin in plugins if plugin.settings)


def report() -> None:
    """Log which plugins this process has loaded, and which variables no plugin reads."""
    known: list[Feature] = [feature for feature in registry.current().features if feature.is_plugin]
    for plugin in known:
        log.info("plugin", name=plugin.name, version=plugin.version)
    for variable in unread_variables(known):
        log.warning("no installed plugin reads this variable", variable=variable)


def loaded(point: EntryPoint) -> Feature:
    """Load the plugin of an entry point, with its version. Raises Misconfigured."""
    try:
        named = point.load()
    except Exception as error:
        raise Misconfigured(f"the plugin {point.name!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if problem := _problem(point.name, feature := _feature(named)):
        raise Misconfigured(f"the plugin {point.name!r} {problem}")
    return replace(feature, version=feature.version or (point.dist.version if point.dist else ""))


def _feature(named: Any) -> Any:
    return getattr(named, "FEATURE", named) if isinstance(named, ModuleType) else named


def _problem(name: str, feature: Any) -> str | None:
    """Return what is wrong with a plugin, as the end of a sentence; None when nothing is."""
    if not isinstance(feature, Feature):
        if hasattr(feature, "init_app"):
            return "has init_app(app) and no FEATURE: it was made for an earlier interface, see docs/plugins.md"
        return "names no Feature: its entry point must be one, or a module that has one as FEATURE"
    if feature.name != name or not _NAME.fullmatch(name):
        return f"is called {feature.name!r} by its Feature: both must be one word of small letters, digits and _"
    if problem := malformed(feature):
        return problem
    prefix = f"TASKMANAGER_X_{name.upper()}_"
    if feature.settings and feature.settings.model_config.get("env_prefix") != prefix:
        return f"must read its settings from variables that begin with {prefix}"
    return _version_problem(feature.requires)


def _version_problem(requires: str) -> str | None:
    ours = ".".join(map(str, INTERFACE))
    made_for = _VERSION.fullmatch(requires)
    if made_for is None:
        return f'does not say which version of the plugin interface it was made for, such as requires="{ours}"'
    major, minor = int(made_for[1]), int(made_for[2] or 0)
    if major == INTERFACE[0] and minor <= INTERFACE[1]:
        return None
    return f"was made for version {requires} of the plugin interface; this release has {ours}: install one that fits"
