"""Detects changes of the source: `make dev` then restarts relay, workers and scheduler."""

from pathlib import Path

_PACKAGES = ("taskmanager", "workers", "config")


class SourceWatch:
    """Compares the modification times of the Python files of the service."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._times = self._stamp()

    def changed(self) -> bool:
        """Return whether a file has been written, added or deleted since the last call."""
        before, self._times = self._times, self._stamp()
        return before != self._times

    def _stamp(self) -> dict[Path, int]:
        files = (file for package in _PACKAGES for file in (self._root / package).rglob("*.py"))
        return {file: file.stat().st_mtime_ns for file in files if file.exists()}
