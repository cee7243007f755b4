"""What this plugin contributes. The entry point names FEATURE."""

from taskmanager.core.events.log import Listener
from taskmanager.feature import Feature, declared
from taskmanager.features.purging.steps import Step
from taskmanager_example import listeners, routes, service
from taskmanager_example.models import Completions

FEATURE = Feature(
    "example",
    requires="1.0",
    blueprints=(routes.blp,),
    listeners=declared(Listener, listeners),
    scopes=("example:read", "example:write"),
    migrations=("taskmanager_example.migrations",),
    purge_steps=(Step((Completions,), service.purge_project),),
)
