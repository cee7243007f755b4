"""The registry: what the features and plugins of this process contribute, such as listeners, jobs and channels.

`taskmanager/feature.py` builds a Registry of Feature objects, the composition root makes it the current one of the
process, and modules read the part that they need by a `Part`. A registry never changes, and no import registers
anything.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


class RegistryNotLoaded(RuntimeError):
    """A programming error: this process uses features but has loaded none."""

    def __init__(self) -> None:
        super().__init__(
            "No features are loaded in this process, so no listener would handle its events:"
            " call taskmanager.app.create_app(settings) or taskmanager.app.load_features(settings) first."
        )


@dataclass(frozen=True)
class Registry:
    """The `features` in order, and their contributions: {field of Feature: {name: contribution}}."""

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


def owner_of(name: str, *parts: str) -> Any:
    """Return the feature that contributes the thing `name` to one of these parts; None when no feature does."""
    return next(
        (
            feature
            for feature in current().features
            for part in parts
            for thing in getattr(feature, part)
            if thing.name == name
        ),
        None,
    )


class Part(Mapping[str, T]):
    """A read-only view of one part of the current registry: {name: contribution}, in the order of the features.

    Reading it raises RegistryNotLoaded in a process that has loaded no features.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, name: str) -> T:
        return self._contributions()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._contributions())

    def __len__(self) -> int:
        return len(self._contributions())

    def _contributions(self) -> Mapping[str, T]:
        return current().parts[self.name]


def derived(function: Callable[[], T]) -> Callable[[], T]:
    """Cache what the decorated function computes from the current registry, until another registry is used."""

    @wraps(function)
    def kept() -> T:
        known = current().derived
        if function not in known:
            known[function] = function()
        return known[function]

    return kept
