"""What the features and plugins of this process contribute: listeners, periodic jobs, channels and all the rest.

`taskmanager/feature.py` builds a Registry of Feature objects, the composition root makes it the current one of the
process, and the modules that need a part of it read a `Part`. Nothing is added to a registry, and no import adds
anything.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


class RegistryNotLoaded(RuntimeError):
    """A programming error: this process uses features without having loaded any."""

    def __init__(self) -> None:
        super().__init__(
            "No features are loaded in this process, so no listener would ever hear of what happens here:"
            " call taskmanager.app.create_app(settings) or taskmanager.app.load_features(settings) first."
        )


@dataclass(frozen=True)
class Registry:
    """`features` in order, and what they contribute: {field of Feature: {name: thing}}."""

    features: tuple[Any, ...]
    parts: Mapping[str, Mapping[str, Any]]
    derived: dict[Callable[[], Any], Any] = field(default_factory=dict, repr=False, compare=False)


_current: Registry | None = None


def use(registry: Registry | None) -> None:
    """Make `registry` the current one of this process; None leaves it without any."""
    global _current
    _current = registry


@contextmanager
def using(registry: Registry) -> Iterator[None]:
    """Make `registry` the current one within this block."""
    before = _current
    use(registry)
    try:
        yield
    finally:
        use(before)


def is_loaded() -> bool:
    """Return whether this process has a registry."""
    return _current is not None


def current() -> Registry:
    """Return the current registry. Raises RegistryNotLoaded."""
    if _current is None:
        raise RegistryNotLoaded
    return _current


class Part(Mapping[str, T]):
    """A read-only view of one part of the current registry: {name: thing}, in the order of the features.

    Raises RegistryNotLoaded when it is read in a process that has loaded no features.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, name: str) -> T:
        return self._things()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._things())

    def __len__(self) -> int:
        return len(self._things())

    def _things(self) -> Mapping[str, T]:
        return current().parts[self.name]


def derived(function: Callable[[], T]) -> Callable[[], T]:
    """Keep what the decorated function works out of the current registry until another registry is used."""

    @wraps(function)
    def kept() -> T:
        known = current().derived
        if function not in known:
            known[function] = function()
        return known[function]

    return kept
