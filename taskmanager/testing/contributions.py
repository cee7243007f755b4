"""Features for the length of a test."""

from typing import Any

from taskmanager.core import registry
from taskmanager.feature import Feature, build_registry


class Contributions:
    """Adds things to the features of this process, as a feature called `test1`, `test2` … contributes them."""

    def __init__(self) -> None:
        self._before = registry.current()

    def __call__(self, **things: Any) -> None:
        """Contribute `things`, named as the fields of Feature: `contribute(listeners=(hear,))`."""
        known = registry.current().features
        registry.use(build_registry([*known, Feature(f"test{len(known)}", **things)]))

    def only(self) -> None:
        """Leave nothing of what was contributed, not even by the features of the service."""
        registry.use(build_registry(()))

    def undo(self) -> None:
        """Leave what there was before this test."""
        registry.use(self._before)
