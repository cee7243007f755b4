"""Use cases of saved views: a filter and an order under a name.

A view without a project is over all that its owner may see, and nobody else's. A view of a project is its owner's own,
or shared: then all members see it, each with his own meaning of `me` and `today`.
"""

from typing import Any

from bson import ObjectId

from taskmanager.core import quotas
from taskmanager.core.access import Actor, Visitor
from taskmanager.core.documents import Expected
from taskmanager.core.errors import Conflict, Forbidden, NotFound
from taskmanager.core.events import record
from taskmanager.core.permissions import authorize
from taskmanager.core.querysets import Order, Page, Row
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.tasks.events import ViewCreated, ViewDeleted, ViewFact, ViewUpdated
from taskmanager.features.tasks.permissions import ViewAction
from taskmanager.features.tasks.view_models import View


def find(project_id: ObjectId | None, order: Order, limit: int, *, actor: Actor, **page: Any) -> Page:
    """A page of the views that the actor sees in a project, or of his own over all. Raises NotFound."""
    return _seen(project_id, actor).page(order, limit, **page)


def total(project_id: ObjectId | None, *, actor: Actor) -> Any:
    """How many views `find` would go through. Raises NotFound."""
    return _seen(project_id, actor).total()


def get(project_id: ObjectId | None, view_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """One view. Raises NotFound."""
    return _seen(project_id, actor).row(view_id, fields)


@unit_of_work
def create(project_id: ObjectId | None, data: dict[str, Any], *, actor: Actor) -> View:
    """Save a view. Raises NotFound, Forbidden, Conflict (`quota.views`)."""
    _seen(project_id, actor)
    view = View(project_id=project_id, owner_id=actor.user_id, **data)
    if view.shared:
        _may_share(view, actor)
    quotas.check_room("views", View.objects(project_id=project_id, owner_id=actor.user_id))
    view.save(force_insert=True)
    _record(ViewCreated, view, actor)
    return view


@unit_of_work
def update(
    project_id: ObjectId | None, view_id: ObjectId, changes: dict[str, Any], *, expected: Expected, actor: Actor
) -> View:
    """Change a view: one's own, or as a manager one that is shared. Raises NotFound, Forbidden, PreconditionFailed."""
    view = _mine(project_id, view_id, expected, actor)
    differences = view.differences(changes)
    if not differences:
        return view
    if changes.get("shared"):
        _may_share(view, actor)
    view = view.write(**{field: after for field, (_, after) in differences.items()})
    _record(ViewUpdated, view, actor, differences)
    return view


@unit_of_work
def delete(project_id: ObjectId | None, view_id: ObjectId, *, expected: Expected, actor: Actor) -> None:
    """Delete a view: one's own, or as a manager one that is shared. Raises NotFound, Forbidden, PreconditionFailed."""
    view = _mine(project_id, view_id, expected, actor)
    view.delete()
    _record(ViewDeleted, view, actor)


def _seen(project_id: ObjectId | None, actor: Actor) -> Any:
    views = View.objects(project_id=project_id)
    if project_id is None:
        return views.filter(owner_id=actor.user_id)
    if actor.role_in(project_id) is None:
        raise NotFound
    if isinstance(actor, Visitor):
        return views.filter(shared=True)
    return views.filter(__raw__={"$or": [{"shared": True}, {"owner_id": actor.user_id}]})


def _mine(project_id: ObjectId | None, view_id: ObjectId, expected: Expected, actor: Actor) -> View:
    view = _seen(project_id, actor).one(view_id)
    if view.owner_id != actor.user_id and not ViewAction.MANAGE.permits(actor, view):
        raise Forbidden("Only its owner and managers can change a view.", code="view.not_yours")
    view.expect(expected)
    return view


def _may_share(view: View, actor: Actor) -> None:
    if view.project_id is None:
        raise Conflict("Only a view of a project can be shared.", code="view.no_project")
    authorize(actor, ViewAction.SHARE, view)


def _record(fact: type[ViewFact], view: View, actor: Actor, changes: Any = None) -> None:
    record(fact(view, actor, changes))
