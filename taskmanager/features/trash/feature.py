"""The trash of tasks."""

from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.feature import Feature, declared
from taskmanager.features.trash import errors, listeners, routes

FEATURE = Feature(
    "trash", errors=errors.CODES, blueprints=(routes.blp,), periodic_jobs=declared(PeriodicJob, listeners)
)
