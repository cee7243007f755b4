"""Search, facets and statistics of tasks."""

from taskmanager.feature import Feature
from taskmanager.features.insights import routes

FEATURE = Feature("insights", blueprints=(routes.blp,))
