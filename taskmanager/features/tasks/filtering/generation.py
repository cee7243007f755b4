"""The generation of a list of tasks: what changes whenever the list may have changed."""

import re
from typing import Any

from bson import ObjectId

from taskmanager.core.events import log
from taskmanager.core.filters.nodes import Condition, GivenFilter, conditions
from taskmanager.core.security.access import Actor
from taskmanager.features.tasks.filtering.fields import CUSTOM_FIELDS, OWN_FIELDS

MAX_PROJECTS = 200  # beyond that, reading the page is as fast
_RELATIVE = re.compile("now|today")


def generation_of(actor: Actor, project_id: ObjectId | None, condition: GivenFilter | None) -> Any:
    """Return a value that is another one after each commit that changes a list of tasks; None when there is no such.

    Each write of a task, and each change of a project's labels, statuses, custom fields and members, changes the
    generation of the project's events. With the time changes what a filter like `due_at < now` matches; filter fields
    of plugins may depend on anything.
    """
    if project_id is not None and actor.role_in(project_id) is None:
        return None
    project_ids = sorted(actor.project_roles) if project_id is None else [project_id]
    if len(project_ids) > MAX_PROJECTS or not (condition is None or all(map(_is_timeless, conditions(condition.node)))):
        return None
    caller = actor.identity, actor.timezone, project_ids, sorted(actor.archived)
    return *caller, log.generation(f"project:{one}" for one in project_ids)


def _is_timeless(condition: Condition) -> bool:
    is_own = condition.field in OWN_FIELDS.values() or condition.field.stored.startswith(f"{CUSTOM_FIELDS}.")
    return is_own and not any(_RELATIVE.match(given.text) for given in condition.given)
