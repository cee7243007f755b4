"""The object Feature: what a feature adds to the API, to the processes, to the database and to the command line.

The features of the service and the plugins use the same class: `features/<name>/feature.py` has an instance as
`FEATURE`, and the entry point of a plugin names one. A part of a feature works only if this object names it, and
importing a module registers nothing. See docs/plugins.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

import click
from flask import Flask
from pydantic_settings import BaseSettings

from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.configuration.service_groups import Service
from taskmanager.core.error_codes import ErrorCode
from taskmanager.core.errors import Misconfigured
from taskmanager.core.events.erasure import EventRenewal
from taskmanager.core.events.log import Listener
from taskmanager.core.events.outbox import JobSource
from taskmanager.core.events.retention import EventNeed
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.core.feature_checks import names_of, problem_of
from taskmanager.core.jobs import Job
from taskmanager.core.registry import Part, Registry
from taskmanager.core.security.permissions import Action
from taskmanager.web.blueprint import Blueprint

# The version of the plugin interface, which this module and docs/plugins.md define. A plugin names in `requires` the
# version it was made for: the major number must be the same, and the minor number not higher.
INTERFACE = (1, 1)

T = TypeVar("T")
S = TypeVar("S", bound=BaseSettings)


def _part(noun: str, expected: Any, *, table: bool = False, of_plugin: bool = False) -> Any:
    """Return a field whose things must have unique names over all features; `noun` says in a sentence what one is.

    `expected` is the class of the things, or the members that they have, as classes of features are not known here;
    callable, for functions; `type[Action]`, for subclasses. `table`: the field is a mapping by name. `of_plugin`: a
    plugin's things stand below its own name, so that only things of the same plugin must differ.
    """
    return field(default=(), metadata={"noun": noun, "expected": expected, "table": table, "of_plugin": of_plugin})


_CHANNEL = ("name", "queue", "seconds", "threads", "grouped", "reaches", "send")


@dataclass(frozen=True)
class Feature:
    """The contributions of one feature or plugin. See docs/plugins.md for each field, with an example.

    `service` names the set of processes that serves its routes and runs its jobs when services are deployed apart
    (`TASKMANAGER_SERVICES`). A field that is a mapping is a table by name, and the feature that reads it defines the
    values; all other fields are tuples of objects that have a name of their own.
    """

    name: str
    version: str = ""
    requires: str = ""  # the version of the interface that a plugin was made for, such as "1.0"
    service: Service = "task"

    # the API and the command line
    blueprints: tuple[Blueprint, ...] = _part("blueprint", Blueprint, of_plugin=True)
    commands: tuple[click.Command, ...] = _part("command", click.Command, of_plugin=True)
    errors: tuple[ErrorCode, ...] = _part("error code", ErrorCode)
    login_methods: tuple[Any, ...] = _part(
        "login method", ("name", "title", "schema", "verify")
    )  # see features/users/login_methods/service.py
    init_app: Callable[[Flask, Any], None] | None = None  # only for what a Flask extension must do with the application

    # after a write, and at a certain time
    listeners: tuple[Listener, ...] = _part("listener", Listener)
    periodic_jobs: tuple[PeriodicJob, ...] = _part("periodic job", PeriodicJob)
    jobs: tuple[Job, ...] = _part("job", Job)
    job_sources: tuple[JobSource, ...] = _part("source of jobs", JobSource)
    event_needs: tuple[EventNeed, ...] = _part("need of events", EventNeed)
    event_renewals: tuple[EventRenewal, ...] = _part("renewal of events", EventRenewal)

    # notifications of users and programs
    channels: tuple[Any, ...] = _part("channel", _CHANNEL)  # see features/notifications/channels/base.py
    notices: tuple[Any, ...] = _part(
        "notice about events of the kind", ("names", "write", "to_members")
    )  # see notifications/content/registry.py
    notification_kinds: Mapping[str, Any] = _part(
        "notification kind", ("on", "urgent", "title"), table=True
    )  # see features/notifications/kinds.py
    webhook_kinds: Mapping[str, Any] = _part(
        "webhook kind", ("scope", "of_task", "data"), table=True
    )  # see features/webhooks/kinds.py

    # rights
    scopes: tuple[str, ...] = _part("scope", str)  # of API tokens
    permissions: tuple[type[Action], ...] = _part("table of permissions", type[Action], of_plugin=True)

    # filters and expansions of tasks
    filter_fields: Mapping[str, Any] = _part(
        "filter field", ("stored", "kind"), table=True
    )  # see core/filters/nodes.py
    expansions: Mapping[str, Any] = _part(
        "expansion", ("stored", "many", "load", "scope"), table=True
    )  # see features/tasks/expansions.py

    # storage
    migrations: tuple[str, ...] = _part("package of migrations", str)  # packages with modules `m<time>_<what>`
    storages: Mapping[str, Callable[[], Any]] = _part(
        "file storage", callable, table=True
    )  # see features/attachments/storage.py
    attached: tuple[Any, ...] = _part(
        "thing attached to tasks", ("models", "bytes_of")
    )  # see features/tasks/attached.py
    account_holdings: tuple[Any, ...] = _part(
        "holding of accounts", ("model", "field", "end", "stepwise")
    )  # see features/users/holdings.py
    owned_models: tuple[Any, ...] = _part(
        "owned model", ("model", "field", "owner", "where")
    )  # see features/accounts/orphans.py
    purge_steps: tuple[Any, ...] = _part("purge step", ("models", "purge"))  # see features/purging/steps.py

    settings: type[BaseSettings] | None = None  # of variables that begin with `TASKMANAGER_X_<NAME>_`

    @property
    def is_plugin(self) -> bool:
        """Return whether this is a plugin: only plugins name the version of the interface that they require."""
        return bool(self.requires)


_TABLE = {one.name: one.metadata for one in fields(Feature) if "noun" in one.metadata}
PARTS = {name: part["noun"] for name, part in _TABLE.items()}


def declared(kind: type[T], *modules: ModuleType) -> tuple[T, ...]:
    """Return the instances of a class, such as Listener, in these modules, in the order of their definitions."""
    return tuple(thing for module in modules for thing in vars(module).values() if isinstance(thing, kind))


def build_registry(features: Iterable[Feature]) -> Registry:
    """Return the registry of these features, with their settings.

    Raises Misconfigured when two features have the same name, when two contributions to one part have the same name,
    and for a wrong setting.
    """
    known = tuple(features)
    for feature in known:
        if problem := malformed(feature):
            raise Misconfigured(f"the {'plugin' if feature.is_plugin else 'feature'} {feature.name!r} {problem}")
    _refuse_twins(known)
    _refuse_jobs_called_as_listeners(known)
    parts = {name: _merged(name, noun, known) for name, noun in PARTS.items()}
    settings = {one.name: _settings(one.name, one.settings) for one in known if one.settings}
    return Registry(known, MappingProxyType(parts | {SETTINGS.name: settings}))


SETTINGS: Part[BaseSettings] = Part("settings")


def settings_of(kind: type[S]) -> S:
    """Return the settings of this class. Raises LookupError when no loaded feature has them."""
    for settings in SETTINGS.values():
        if type(settings) is kind:
            return settings
    raise LookupError(f"no feature that is loaded has the settings {kind.__qualname__}")


def _settings(name: str, kind: type[BaseSettings]) -> BaseSettings:
    try:
        return core_settings.build(kind)
    except Misconfigured as error:
        raise Misconfigured(f"the settings of the plugin {name!r}: {error.detail}") from None


def _refuse_twins(features: tuple[Feature, ...]) -> None:
    names = [one.name for one in features]
    for name in names:
        if names.count(name) > 1:
            raise Misconfigured(f"two features have the name {name!r}")


def _refuse_jobs_called_as_listeners(features: tuple[Feature, ...]) -> None:
    """Refuse a job or a source of jobs that has the name of a listener: workers find what to run by the name alone."""
    listeners = {one.name: feature.name for feature in features for one in feature.listeners}
    for feature in features:
        for part, things in (("jobs", feature.jobs), ("job_sources", feature.job_sources)):
            for one in things:
                if one.name in listeners:
                    raise Misconfigured(
                        f"the {PARTS[part]} {one.name!r} of the feature {feature.name!r} has the name of a listener"
                        f" of the feature {listeners[one.name]!r}"
                    )


def malformed(feature: Feature) -> str | None:
    """Return what is wrong with the fields of a feature, as the end of a sentence that begins with its name."""
    return problem_of(feature, _TABLE)


def _merged(part: str, noun: str, features: tuple[Feature, ...]) -> Mapping[str, Any]:
    things: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for feature in features:
        for name, thing in named_things(feature, part):
            key = f"{feature.name}:{name}" if feature.is_plugin and _TABLE[part]["of_plugin"] else name
            if key in things:
                raise Misconfigured(
                    f"the {noun} {name!r} is contributed twice: by the features {owners[key]!r} and {feature.name!r}"
                )
            things[key], owners[key] = thing, feature.name
    return MappingProxyType(things)


def named_things(feature: Feature, part: str) -> Iterator[tuple[str, Any]]:
    """Yield what a feature contributes of one part: its name, and the thing."""
    contributed = getattr(feature, part)
    if isinstance(contributed, Mapping):
        yield from contributed.items()
        return
    for thing in contributed:
        for name in names_of(thing):
            yield name, thing


def described(feature: Feature) -> dict[str, Any]:
    """Return the description of a feature for `taskmanager plugins`: `{name, version, interface, service, adds}`.

    `adds` is {part: names of the contributions}; all other values are texts.
    """
    adds = {part: [name for name, _ in named_things(feature, part)] for part in PARTS}
    if feature.settings:
        prefix = feature.settings.model_config.get("env_prefix", "")
        adds["settings"] = [f"{prefix}{name}".upper() for name in feature.settings.model_fields]
    return {
        "name": feature.name,
        "version": feature.version,
        "interface": feature.requires,
        "service": feature.service,
        "adds": {part: names for part, names in adds.items() if names},
    }
