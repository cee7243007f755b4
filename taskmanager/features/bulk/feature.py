"""Many operations on tasks in one request."""

from taskmanager.feature import Feature
from taskmanager.features.bulk import errors, routes

FEATURE = Feature("bulk", errors=errors.CODES, blueprints=(routes.blp,))
