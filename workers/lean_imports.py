"""Imports libraries that each process uses, without those of their parts that few or none use.

Some import a package only because it is installed: structlog rich and greenlet, redis the SDK of OpenTelemetry. Some
import their twin for asyncio, or what runs jobs. Each can be imported as usual afterwards, and is whole then.
"""

import importlib
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.machinery import PathFinder
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import Any

LIBRARIES = ("structlog", "redis", "pymongo", "gridfs", "mongoengine", "limits", "rq", "babel.dates", "flask_smorest")
OPTIONAL = ("rich", "greenlet", "opentelemetry", "pytz", "yaml")
PARTS = (
    "redis.asyncio",
    "limits.aio",
    "pymongo.asynchronous.mongo_client",
    "gridfs.asynchronous.grid_file",
    "gridfs.synchronous.grid_file",
    "dateutil.parser",
    "rq.worker",
)
_CERTIFICATES = "cryptography.x509"  # PyJWT imports it for keys in certificates


class _Absent(ModuleType):
    """Stands for a module, and for all that is imported from it, while its library is imported."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        library, _, part = name.partition(".")
        found = PathFinder.find_spec(library)
        if found and found.submodule_search_locations and "." not in part:
            self.__path__ = [f"{folder}/{part}" for folder in found.submodule_search_locations]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def _end(parts: Iterable[str]) -> None:
    """Let whatever has taken something of a part take it from the real one when it is used."""
    for part in parts:
        del sys.modules[part]
    for module in list(sys.modules.values()):
        if taken := {name: value.__name__ for name, value in vars(module).items() if type(value) is _Absent}:
            for name in taken:
                delattr(module, name)
            module.__getattr__ = partial(_real, module.__name__, taken)  # type: ignore[method-assign]


def _real(user: str, taken: Mapping[str, str], name: str) -> Any:
    if name not in taken:
        raise AttributeError(f"module {user!r} has no attribute {name!r}")
    real = importlib.import_module(taken[name])
    return real if taken[name].endswith(f".{name}") else getattr(real, name)


def _load_at_use(name: str) -> None:
    """Let a module be loaded when an attribute of it is used: for one that others import as a whole."""
    spec = find_spec(name)
    assert spec and spec.loader
    spec.loader = LazyLoader(spec.loader)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    package, _, part = name.rpartition(".")
    setattr(sys.modules[package], part, module)


def import_libraries() -> None:
    """Import them, before anything else does."""
    if any(name in sys.modules for name in LIBRARIES):  # as in tests: it is too late
        return
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    if not find_spec("service_identity"):  # without it that module fails, after it has imported certificates
        hidden.append("pymongo.pyopenssl_context")
    refusals: dict[str, Any] = dict.fromkeys(hidden)  # None refuses an import
    sys.modules.update(refusals)
    sys.modules.update({name: _Absent(name) for name in PARTS})
    try:
        for name in LIBRARIES:
            importlib.import_module(name)
    finally:
        for name in hidden:
            del sys.modules[name]
        _end(PARTS)
    if _CERTIFICATES not in sys.modules:
        _load_at_use(_CERTIFICATES)
