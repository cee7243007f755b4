"""Names of environment variables: an unknown one is refused, with the name that was probably meant."""

import difflib
import re
from collections.abc import Iterable, Mapping

PLUGINS = "TASKMANAGER_X_"
_SERVICE_LINK = re.compile(r"_SERVICE_HOST|_SERVICE_PORT|_PORT_\d+_(TCP|UDP)")


def unknown(prefix: str, fields: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Return one sentence for each variable that begins with `prefix` and is no setting, except plugin variables."""
    known = _variables(prefix, fields)
    names = [name.upper() for name in environment if name.upper().startswith(prefix)]
    return [_sentence(name, known) for name in names if name not in known and not _is_plugin_variable(name)]


def unknown_of_plugins(
    known: Mapping[str, Iterable[str]], environment: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return two lists: sentences about variables with a plugin's prefix that are none of its settings; orphans.

    `known` is {prefix: names of fields}. An orphan is the name of a variable that has the prefix of no plugin.
    """
    prefixes = [prefix for prefix in known if prefix.startswith(PLUGINS)]
    settings = frozenset[str]().union(*(_variables(prefix, known[prefix]) for prefix in prefixes))
    names = [name.upper() for name in environment if _is_plugin_variable(name.upper()) and name.upper() not in settings]
    of_plugin = [name for name in names if name.startswith(tuple(prefixes))]
    return [_sentence(name, settings) for name in of_plugin], [name for name in names if name not in of_plugin]


def _variables(prefix: str, fields: Iterable[str]) -> frozenset[str]:
    return frozenset(f"{prefix}{field}".upper() for field in fields)


def _is_plugin_variable(name: str) -> bool:
    return name.startswith(PLUGINS)


def _sentence(name: str, known: frozenset[str]) -> str:
    if _SERVICE_LINK.search(name):
        return f"{name} is no setting: Kubernetes makes it for a Service; set enableServiceLinks: false in the pod"
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name} is no setting: " + (f"did you mean {close[0]}?" if close else "config/env.example has them all")
