"""Imports libraries that each process uses, without those of their parts that few or none use.

Some import a package only because it is installed: structlog rich and greenlet, redis the SDK of OpenTelemetry. Some
import their twin for asyncio, or what runs jobs. Each can be imported as usual afterwards, and is whole then.
"""

import importlib
import sys
from importlib.machinery import PathFinder
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import Any

LIBRARIES = ("structlog", "redis", "pymongo", "gridfs", "limits", "rq", "babel.dates", "flask_smorest")
OPTIONAL = ("rich", "greenlet", "opentelemetry", "pytz", "yaml")
PARTS = (
    "redis.asyncio",
    "limits.aio",
    "pymongo.asynchronous.mongo_client",
    "gridfs.asynchronous.grid_file",
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

    def end(self) -> None:
        """Let the library import the real module when one of its names is used."""
        del sys.modules[self.__name__]
        library = sys.modules[self.__name__.partition(".")[0]]
        names = {name for name, value in vars(library).items() if value is self}
        for name in names:
            delattr(library, name)

        def load(name: str) -> Any:
            if name not in names:
                raise AttributeError(f"module {library.__name__!r} has no attribute {name!r}")
            real = importlib.import_module(self.__name__)
            return real if self.__name__.endswith(f".{name}") else getattr(real, name)

        library.__getattr__ = load  # type: ignore[method-assign]


def _load_at_use(name: str) -> None:
    """Let a module be loaded when an attribute of it is used: for one that others import as a whole."""
    spec = find_spec(name)
    assert spec and spec.loader
    spec.loader = LazyLoader(spec.loader)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    package, _, part = name.rpartition(".")
    setattr(sys.modules[package], part, module)


def _import() -> None:
    if any(name in sys.modules for name in LIBRARIES):  # as in tests: it is too late
        return
    _load_at_use(_CERTIFICATES)
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    if not find_spec("service_identity"):  # without it that module fails, after it has imported certificates
        hidden.append("pymongo.pyopenssl_context")
    absent = [_Absent(name) for name in PARTS]
    refusals: dict[str, Any] = dict.fromkeys(hidden)  # None refuses an import
    sys.modules.update(refusals)
    sys.modules.update({one.__name__: one for one in absent})
    try:
        for name in LIBRARIES:
            importlib.import_module(name)
    finally:
        for name in hidden:
            del sys.modules[name]
        for one in absent:
            one.end()


_import()
