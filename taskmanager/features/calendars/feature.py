"""Calendars: the tasks with a due, for programs that subscribe to iCalendar (RFC 5545)."""

from taskmanager.feature import Feature
from taskmanager.features.calendars import errors, routes

FEATURE = Feature("calendars", errors=errors.CODES, blueprints=(routes.blp,))
