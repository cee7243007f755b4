"""Tasks, with their relations, recurrence, reminders, order, workflow and activity."""

from taskmanager.core.events.log import Listener
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.feature import Feature, declared
from taskmanager.features.tasks import listeners, permissions, routes
from taskmanager.features.tasks.activity import routes as activity
from taskmanager.features.tasks.errors.codes import CODES
from taskmanager.features.tasks.expansions import OWN_EXPANSIONS
from taskmanager.features.tasks.filtering.fields import OWN_FIELDS
from taskmanager.features.tasks.placement import routes as placement
from taskmanager.features.tasks.recurrence import routes as recurrence
from taskmanager.features.tasks.relations import routes as relations
from taskmanager.features.tasks.workflow import routes as workflow

FEATURE = Feature(
    "tasks",
    errors=CODES,
    blueprints=(workflow.blp, routes.blp, relations.blp, recurrence.blp, placement.blp, activity.blp),
    listeners=declared(Listener, listeners),
    periodic_jobs=declared(PeriodicJob, listeners),
    scopes=("tasks:read", "tasks:write"),
    permissions=(permissions.TaskAction,),
    filter_fields=OWN_FIELDS,
    expansions=OWN_EXPANSIONS,
)
