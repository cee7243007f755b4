"""Projects, their members, labels and custom fields, invitations and share links."""

from taskmanager.core.events.log import Listener
from taskmanager.feature import Feature, declared
from taskmanager.features.projects import errors, routes
from taskmanager.features.projects.invitations import routes as invitations
from taskmanager.features.projects.labels import routes as labels
from taskmanager.features.projects.members import listeners, routes as members
from taskmanager.features.projects.permissions import ProjectAction
from taskmanager.features.projects.share_links import routes as share_links
from taskmanager.features.projects.trash import routes as trash

FEATURE = Feature(
    "projects",
    errors=errors.CODES,
    blueprints=(
        routes.blp,
        members.blp,
        invitations.sent,
        invitations.received,
        share_links.links,
        share_links.visits,
        labels.label_blp,
        labels.field_blp,
        trash.blp,
    ),
    listeners=declared(Listener, listeners),
    scopes=("projects:read", "projects:write", "members:read", "members:write"),
    permissions=(ProjectAction,),
)
