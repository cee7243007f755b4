"""The application without advisory locks: what `tests.bench.hot_project` is compared with."""

from taskmanager.features.projects import service as projects
from wsgi import app

projects.hold_advisory_lock = lambda name: None  # type: ignore[assignment]

__all__ = ["app"]
