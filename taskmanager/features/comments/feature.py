"""Comments on tasks."""

from taskmanager.feature import Feature
from taskmanager.features.comments import errors, routes
from taskmanager.features.comments.models import Comment
from taskmanager.features.comments.permissions import CommentAction
from taskmanager.features.tasks.attached import Attached

FEATURE = Feature(
    "comments",
    errors=errors.CODES,
    blueprints=(routes.blp,),
    scopes=("comments:read", "comments:write"),
    permissions=(CommentAction,),
    attached=(Attached((Comment,)),),
)
