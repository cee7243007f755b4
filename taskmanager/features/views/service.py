"""Use cases of saved views: a filter and an order under a name.

A view without a project is over all that its owner may see, and theirs alone. A view of a project is its owner's own,
or shared: then all members see it, each with their own meaning of `me` and `today`.
"""

from typing import Any

from bson import ObjectId

from taskmanager.core import quotas
from taskmanager.core.errors import Conflict, Forbidden, Invalid, NotFound
from taskmanager.core.events.log import record
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.tokens import FilterError
from taskmanager.core.security.access import Actor, Visitor, members_only
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.querysets import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.tasks.filtering import names as filter_names, stored as stored_filters
from taskmanager.features.views.events import ViewCreated, ViewDeleted, ViewFact, ViewUpdated
from taskmanager.features.views.models import View
from taskmanager.features.views.permissions import ViewAction


def visible(project_id: ObjectId | None, actor: Actor) -> Described:
    """Return the views of a project, or the actor's own over all, with what they say now. Raises NotFound."""
    scope = _scope(project_id, actor)
    query = _seen(project_id, actor)
    return Described(query, lambda rows: stored_filters.current(rows, actor, scope), stored_filters.FIELDS_NEEDED)


def get(project_id: ObjectId | None, view_id: ObjectId, *, actor: Actor) -> Row:
    """Return one view, with what it says now under `current`. Raises NotFound."""
    return visible(project_id, actor).row(view_id)


def described(row: Row, actor: Actor) -> Row:
    """Return a stored view with what it says now under `current` (see `stored_filters.current`)."""
    return stored_filters.current([row], actor, _scope(row.get("project_id"), actor))[0]


def condition(row: Row) -> GivenFilter | None:
    """Return the filter of a stored view. What it names that is gone is 422 at `view.filter`."""
    try:
        return stored_filters.given(row, "view.filter")
    except FilterError as error:
        raise Invalid("view.filter", str(error), code=error.code) from None


@unit_of_work
def create(project_id: ObjectId | None, data: dict[str, Any], *, actor: Actor) -> View:
    """Save a view. Raises NotFound, Forbidden, Conflict (`quota.views`), Invalid when its filter names nothing."""
    _check_place(project_id, actor)
    data = _storable(data, project_id, actor)
    view = View(project_id=project_id, owner_id=actor.user_id, **data)
    if view.shared:
        _may_share(view, actor)
    quotas.check_room("views", View.objects(project_id=project_id, owner_id=actor.user_id))
    view.save(force_insert=True)
    _record(ViewCreated, view, actor)
    return view


@unit_of_work
def update(
    project_id: ObjectId | None, view_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor
) -> View:
    """Change a view: one's own, or as a manager one that is shared.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid when its new filter names something unknown.
    """
    view = _mine(project_id, view_id, if_match, actor)
    differences = view.differences(_storable(changes, project_id, actor))
    if not differences:
        return view
    if changes.get("shared"):
        _may_share(view, actor)
    view = view.write(**{field: after for field, (_, after) in differences.items()})
    _record(ViewUpdated, view, actor, {name: differences[name] for name in differences if name != "references"})
    return view


@unit_of_work
def delete(project_id: ObjectId | None, view_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a view: one's own, or as a manager one that is shared. Raises NotFound, Forbidden, PreconditionFailed."""
    view = _mine(project_id, view_id, if_match, actor)
    view.delete()
    _record(ViewDeleted, view, actor)


def _seen(project_id: ObjectId | None, actor: Actor) -> Any:
    _check_place(project_id, actor)
    views = View.objects(project_id=project_id)
    if project_id is None:
        return views.filter(owner_id=actor.user_id)
    if isinstance(actor, Visitor):
        return views.filter(shared=True)
    return views.filter(__raw__={"$or": [{"shared": True}, {"owner_id": actor.user_id}]})


def _check_place(project_id: ObjectId | None, actor: Actor) -> None:
    """Raise NotFound for a project that the actor does not see, Forbidden for the own views of a visitor."""
    if project_id is None:
        members_only(actor)
    elif actor.role_in(project_id) is None:
        raise NotFound


def _storable(data: dict[str, Any], project_id: ObjectId | None, actor: Actor) -> Row:
    scope = _scope(project_id, actor)
    filter_names.check_order([data["sort"].removeprefix("-")] if "sort" in data else (), scope, "body.sort")
    return stored_filters.storable(data, actor, scope)


def _scope(project_id: ObjectId | None, actor: Actor) -> list[ObjectId]:
    """Return the projects in which a view's names are looked up."""
    return [project_id] if project_id else list(actor.project_roles)


def _mine(project_id: ObjectId | None, view_id: ObjectId, if_match: IfMatch, actor: Actor) -> View:
    view = _seen(project_id, actor).one(view_id)
    if view.owner_id != actor.user_id and not ViewAction.MANAGE.permits(actor, view):
        raise Forbidden("Only its owner and managers can change a view.", code="view.not_yours")
    view.check_revision(if_match)
    return view


def _may_share(view: View, actor: Actor) -> None:
    if view.project_id is None:
        raise Conflict("Only a view of a project can be shared.", code="view.no_project")
    authorize(actor, ViewAction.SHARE, view)


def _record(fact: type[ViewFact], view: View, actor: Actor, changes: Any = None) -> None:
    record(fact(view, actor, changes))
