"""Imports libraries that each process uses, without those of their parts that none does: 11 MB of a process.

Some import a package only because it is installed: structlog rich and greenlet, redis the SDK of OpenTelemetry. Some
import their twin for asyncio. Each can be imported as usual afterwards, and is whole then.
"""

import importlib
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

LIBRARIES = ("structlog", "redis", "pymongo", "gridfs", "limits")
OPTIONAL = ("rich", "greenlet", "opentelemetry")
TWINS = (
    "redis.asyncio",
    "limits.aio",
    "pymongo.asynchronous.mongo_client",
    "gridfs.asynchronous.grid_file",
)


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


def _import() -> None:
    if any(name in sys.modules for name in LIBRARIES):  # as in tests: it is too late
        return
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    absent = [_Absent(name) for name in TWINS]
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
