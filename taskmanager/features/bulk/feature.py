"""Many operations on tasks in one request."""

from taskmanager.feature import Feature
from taskmanager.features.bulk import routes

FEATURE = Feature("bulk", blueprints=(routes.blp,))
