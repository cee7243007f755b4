"""What the fields of a Feature must hold, as one table, and the sentences about those that hold something else."""

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, get_args

from pydantic_settings import BaseSettings

from taskmanager.core.configuration.service_groups import SERVICES
from taskmanager.core.filters.tokens import KEYWORDS

Table = Mapping[str, Mapping[str, Any]]
_NAME = re.compile("[a-z][a-z0-9_]*")
# Names that a filter or a task has already, and names that cannot be written in a filter or in `expand`.
_PLAIN_NAMES = {"filter_fields": KEYWORDS | {"me", "now", "today", "custom_fields"}, "expansions": frozenset[str]()}
# What the other fields of a Feature hold: a check, and what was expected.
_SINGLE: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str) and bool(_NAME.fullmatch(value)), "small letters, digits and _"),
    "version": (lambda value: isinstance(value, str), "a text"),
    "requires": (lambda value: isinstance(value, str), 'a text, such as "1.0"'),
    "service": (lambda value: value in SERVICES, f"one of {', '.join(SERVICES)}"),
    "init_app": (lambda value: value is None or callable(value), "a function of the application and the settings"),
    "settings": (
        lambda value: value is None or (isinstance(value, type) and issubclass(value, BaseSettings)),
        "a subclass of BaseSettings",
    ),
}


def problem_of(feature: Any, parts: Table) -> str | None:
    """Return what is wrong with the fields of a feature, as the end of a sentence that begins with its name.

    `parts` is {field: its noun, what is expected of its things, whether it is a table}, see `taskmanager/feature.py`.
    """
    for name, (holds, expected) in _SINGLE.items():
        if not holds(getattr(feature, name)):
            return f"is wrong in {name}: expected {expected}, not {_said(getattr(feature, name))}"
    return next((found for part in parts if (found := _wrong_part(feature, part, parts[part]))), None)


def _wrong_part(feature: Any, part: str, what: Mapping[str, Any]) -> str | None:
    contributed, noun = getattr(feature, part), what["noun"]
    if what["table"] and contributed != ():
        if not isinstance(contributed, Mapping):
            return f"is wrong in {part}: expected a mapping of names, not {_said(contributed)}"
        things = list(contributed.items())
    elif not isinstance(contributed, tuple | list):
        return f"is wrong in {part}: expected a tuple, not {_said(contributed)} (a tuple of one ends with a comma)"
    else:
        things = [(None, thing) for thing in contributed]
    for name, thing in things:
        if problem := _wrong_thing(what["expected"], thing):
            return f"is wrong in {part}: expected {problem}, not {_said(thing)}"
        try:
            names = names_of(thing) if name is None else (name,)
        except Exception as error:
            return f"is wrong in {part}: the name of a {noun} cannot be read: {type(error).__name__}: {error}"
        if problem := next((found for one in names if (found := _wrong_name(part, noun, one))), None):
            return f"is wrong in {part}: {problem}"
    return None


def _wrong_thing(expected: Any, thing: Any) -> str | None:
    """Return what was expected when a thing is something else."""
    if expected is callable:
        return None if callable(thing) else "a function"
    if isinstance(expected, tuple):
        missing = [name for name in expected if name not in dir(thing)]
        return f"an object with the members {', '.join(expected)} ({', '.join(missing)} missing)" if missing else None
    if classes := get_args(expected):
        fits = isinstance(thing, type) and issubclass(thing, classes[0])
        return None if fits else f"a subclass of {classes[0].__name__}"
    return None if isinstance(thing, expected) else f"{'a text' if expected is str else expected.__name__}"


def _wrong_name(part: str, noun: str, name: Any) -> str | None:
    """Return what is wrong with the name of a thing, and with the package that a name of migrations stands for."""
    if not isinstance(name, str) or not name or name != name.strip():
        return f"{name!r} is no name of a {noun}"
    if part in _PLAIN_NAMES and (not _NAME.fullmatch(name) or name in _PLAIN_NAMES[part]):
        return f"no {noun} can be called {name!r}"
    return _wrong_package(name) if part == "migrations" else None


def _wrong_package(name: str) -> str | None:
    try:
        package = import_module(name)
    except Exception as error:
        return f"the package {name!r} cannot be loaded: {type(error).__name__}: {error}"
    return None if hasattr(package, "__path__") else f"{name!r} is no package"


def _said(value: Any) -> str:
    """Return a short text for something in a sentence: texts as they are, else of which class it is."""
    return repr(value)[:60] if isinstance(value, str | int | float | None) else f"a {type(value).__qualname__}"


def names_of(thing: Any) -> tuple[str, ...]:
    """Return the names by which a thing is found."""
    if isinstance(thing, str):
        return (thing,)
    if isinstance(thing, type):
        return (thing.__qualname__,)
    if hasattr(thing, "names"):
        return tuple(thing.names)
    return (thing.name,)
