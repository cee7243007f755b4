"""Search, facets and statistics of tasks."""

from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.feature import Feature, declared
from taskmanager.features.insights import routes
from taskmanager.features.insights.commands import COMMANDS
from taskmanager.features.insights.counts import listeners

FEATURE = Feature(
    "insights",
    blueprints=(routes.blp,),
    commands=COMMANDS,
    periodic_jobs=declared(PeriodicJob, listeners),
)
