"""Use cases of saved views: a filter and an order with a name.

A view without a project covers all tasks that its owner may see, and only the owner sees it. A view of a project is
either private to its owner or shared: then all members see it, and `me` and `today` refer to the member who uses it.
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
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.tasks.filtering import names as filter_names, stored as stored_filters
from taskmanager.features.views.events import ViewCreated, ViewDeleted, ViewFact, ViewUnshared, ViewUpdated
from taskmanager.features.views.models import View
from taskmanager.features.views.permissions import ViewAction


def visible(project_id: ObjectId | None, actor: Actor) -> Described:
    """Return the views of a project, or the actor's own over all projects, each with `current`. Raises NotFound."""
    scope = _scope(project_id, actor)
    query = _visible(project_id, actor)
    return Described(query, lambda rows: stored_filters.current(rows, actor, scope), stored_filters.FIELDS_NEEDED)


def get(project_id: ObjectId | None, view_id: ObjectId, *, actor: Actor) -> Row:
    """Return one view, with `current` (see `stored_filters.current`). Raises NotFound."""
    return visible(project_id, actor).row(view_id)


def described(row: Row, actor: Actor) -> Row:
    """Return a stored view with `current` (see `stored_filters.current`)."""
    return stored_filters.current([row], actor, _scope(row.get("project_id"), actor))[0]


def condition(row: Row) -> GivenFilter | None:
    """Return the filter of a stored view; None when it has none. Raises Invalid (at `view.filter`)."""
    try:
        return stored_filters.given(row, "view.filter")
    except FilterError as error:
        raise Invalid("view.filter", str(error), code=error.code) from None


@unit_of_work
def create(project_id: ObjectId | None, data: dict[str, Any], *, actor: Actor) -> View:
    """Save a view. Raises NotFound, Forbidden, Conflict (`quota.views`), Invalid for an unknown name in the filter."""
    _check_scope(project_id, actor)
    data = _storable(data, project_id, actor)
    view = View(project_id=project_id, owner_id=actor.user_id, **data)
    if view.shared:
        _check_sharing(view, actor)
    quotas.check_room("views", View.objects(project_id=project_id, owner_id=actor.user_id), project_id or actor.user_id)
    view.save(force_insert=True)
    _record(ViewCreated, view, actor)
    return view


@unit_of_work
def update(
    project_id: ObjectId | None, view_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor
) -> View:
    """Change a view: an own one, or as a manager a shared one.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid for an unknown name in the new filter.
    """
    view = _changeable(project_id, view_id, if_match, actor)
    differences = view.differences(_storable(changes, project_id, actor))
    if not differences:
        return view
    if changes.get("shared"):
        _check_sharing(view, actor)
    view = view.write(**{field: after for field, (_, after) in differences.items()})
    _record(ViewUpdated, view, actor, {name: differences[name] for name in differences if name != "references"})
    if "shared" in differences and not view.shared:
        _record(ViewUnshared, view, actor)
    return view


@unit_of_work
def delete(project_id: ObjectId | None, view_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a view: an own one, or as a manager a shared one. Raises NotFound, Forbidden, PreconditionFailed."""
    view = _changeable(project_id, view_id, if_match, actor)
    view.delete()
    _record(ViewDeleted, view, actor)


def _visible(project_id: ObjectId | None, actor: Actor) -> BaseQuerySet:
    _check_scope(project_id, actor)
    views: BaseQuerySet = View.objects(project_id=project_id)
    if project_id is None:
        return views.filter(owner_id=actor.user_id)
    if isinstance(actor, Visitor):
        return views.filter(shared=True)
    return views.filter(__raw__={"$or": [{"shared": True}, {"owner_id": actor.user_id}]})


def _check_scope(project_id: ObjectId | None, actor: Actor) -> None:
    """Raise NotFound for a project that the actor does not see, Forbidden for a visitor without a project."""
    if project_id is None:
        members_only(actor)
    elif actor.role_in(project_id) is None:
        raise NotFound


def _storable(data: dict[str, Any], project_id: ObjectId | None, actor: Actor) -> Row:
    scope = _scope(project_id, actor)
    filter_names.check_order([data["sort"].removeprefix("-")] if "sort" in data else (), scope, "body.sort")
    return stored_filters.storable(data, actor, scope)


def _scope(project_id: ObjectId | None, actor: Actor) -> list[ObjectId]:
    """Return the projects in which the names of a view are looked up."""
    return [project_id] if project_id else list(actor.project_roles)


def _changeable(project_id: ObjectId | None, view_id: ObjectId, if_match: IfMatch, actor: Actor) -> View:
    view: View = _visible(project_id, actor).one(view_id)
    if view.owner_id != actor.user_id and not ViewAction.MANAGE.permits(actor, view):
        raise Forbidden("Only the owner and managers can change a view.", code="view.not_yours")
    view.check_revision(if_match)
    return view


def _check_sharing(view: View, actor: Actor) -> None:
    if view.project_id is None:
        raise Conflict("Only a view of a project can be shared.", code="view.no_project")
    authorize(actor, ViewAction.SHARE, view)


def _record(fact: type[ViewFact], view: View, actor: Actor, changes: dict[str, list[Any]] | None = None) -> None:
    record(fact(view, actor, changes))
