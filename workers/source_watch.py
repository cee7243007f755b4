"""Notices that the source has changed: `make dev` then restarts relay, workers and scheduler."""

from pathlib import Path

_PACKAGES = ("taskmanager", "workers", "config")


class SourceWatch:
    """Compares the newest modification times of our own Python files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Return whether a file has been written, added or removed since the last question."""
        before, self._seen = self._seen, self._stamp()
        return before != self._seen

    def _stamp(self) -> dict[Path, int]:
        files = (file for package in _PACKAGES for file in (self._root / package).rglob("*.py"))
        return {file: file.stat().st_mtime_ns for file in files if file.exists()}
