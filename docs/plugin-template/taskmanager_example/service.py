"""Use cases. They know neither Flask nor marshmallow."""

from bson import ObjectId

from taskmanager.core.errors import NotFound
from taskmanager.core.security.access import Actor
from taskmanager_example.models import Completions


def count(project_id: ObjectId, event_id: ObjectId) -> None:
    """Count an event. Safe to repeat."""
    Completions.objects(project_id=project_id).update_one(upsert=True, add_to_set__event_ids=event_id)


def total(project_id: ObjectId, *, actor: Actor) -> int:
    """Return how often tasks of a project were completed. Raises NotFound."""
    if actor.role_in(project_id) is None:
        raise NotFound
    found = Completions.objects(project_id=project_id).first()
    return len(found.event_ids) if found else 0


def purge_project(project_id: ObjectId) -> int:
    """Delete what there is of a project that is purged; return how many documents."""
    return int(Completions.objects(project_id=project_id).delete())
