"""Contributions of features for the duration of a test."""

from typing import Any

from taskmanager.core import registry
from taskmanager.feature import Feature, build_registry


class Contributions:
    """Adds features with the names `test1`, `test2` … to this process."""

    def __init__(self) -> None:
        self._before = registry.current()

    def __call__(self, **things: Any) -> None:
        """Add a feature with these fields: `contribute(listeners=(listener,))`."""
        known = registry.current().features
        registry.use(build_registry([*known, Feature(f"test{len(known)}", **things)]))

    def only(self) -> None:
        """Remove all contributions, also those of the features of the service."""
        registry.use(build_registry(()))

    def undo(self) -> None:
        """Restore the registry as it was before the test."""
        registry.use(self._before)
