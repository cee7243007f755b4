"""The trash of tasks."""

from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.feature import Feature, declared
from taskmanager.features.trash import listeners, routes

FEATURE = Feature("trash", blueprints=(routes.blp,), periodic_jobs=declared(PeriodicJob, listeners))
