"""The use case of quick add: create a task from a line of text."""

from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.errors import Invalid
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.zones import zone
from taskmanager.features.projects import values
from taskmanager.features.projects.labels.service import labels
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project, name_key
from taskmanager.features.quick_add.grammar import parse
from taskmanager.features.quick_add.parsed_task import ParsedTask
from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.models import MAX_TITLE_CHARACTERS, PRIORITIES, Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.users import service as users

_MAX_LABEL_CHARACTERS, _MAX_NAMES = 100, 50


@unit_of_work
def add(text: str, *, actor: Actor, project_id: ObjectId | None = None) -> tuple[Task, Row]:
    """Create the task that a line describes; return the task and the parsed values.

    The project is the one that the line names, or `project_id`, or the first by position in which the actor may create
    tasks. Creates labels that do not exist. Raises Invalid (`quick.…`), and as `tasks.create`.
    """
    moment = now().astimezone(zone(actor.timezone))
    parsed = parse(text, moment)
    _check(parsed)
    project = _project(parsed.project, project_id, actor)
    data = _data(parsed, parsed.due(moment), project, actor)
    return tasks.create(project.id, data, actor=actor), _row(parsed, project, data)


def _check(parsed: ParsedTask) -> None:
    """Raise Invalid for values that the body of the single request must not have either."""
    if not parsed.title:
        raise _invalid("quick.no_title", "The text has no title.")
    if len(parsed.title) > MAX_TITLE_CHARACTERS:
        raise _invalid("quick.title_too_long", f"A title has at most {MAX_TITLE_CHARACTERS} characters.")
    if max(len(parsed.labels), len(parsed.people)) > _MAX_NAMES:
        raise _invalid("quick.too_many", f"At most {_MAX_NAMES} labels and people.")


def _data(parsed: ParsedTask, due: str | None, project: Project, actor: Actor) -> dict[str, Any]:
    found = {
        "title": parsed.title,
        "priority": PRIORITIES.index(parsed.priority) if parsed.priority else None,
        "estimate_minutes": parsed.estimate_minutes,
        "due": due,
        "recurrence": parsed.recurrence,
        "recurs_from": "completion" if parsed.from_completion else None,
        "label_ids": [_label(name, project, actor) for name in dict.fromkeys(parsed.labels)],
        "assignee_ids": [_person(word, project, actor) for word in dict.fromkeys(parsed.people)],
    }
    return {name: value for name, value in found.items() if value}


def _project(name: str | None, project_id: ObjectId | None, actor: Actor) -> Project:
    allowed_ids = [
        key for key, role in actor.project_roles.items() if TaskAction.CREATE.allows(role) and key not in actor.archived
    ]
    projects = list(Project.objects.visible_to(actor).filter(id__in=allowed_ids).order_by("position"))
    if name is not None:
        matches = [one for one in projects if name_key(name) in (name_key(one.key), name_key(one.name))]
        problem = "There is no project with this name in which you can create tasks."
    else:
        matches = [one for one in projects if project_id in (None, one.id)]
        problem = "You can create tasks in no such project."
    if not matches:
        raise _invalid("quick.project_unknown", problem)
    return matches[0]


def _label(name: str, project: Project, actor: Actor) -> ObjectId:
    known = values.label_ids_by_name([name], [project.id])
    if known:
        return known[name_key(name)][0]
    if not actor.has_scope("projects:write"):
        raise _invalid("quick.label_unknown", f"There is no label {name[:50]!r}, and this token cannot create one.")
    return labels.create(project.id, {"name": name[:_MAX_LABEL_CHARACTERS]}, actor=actor).id


def _person(word: str, project: Project, actor: Actor) -> ObjectId:
    """Return the id of a member by `me`, address, or name, if only one member has it. Raises Invalid."""
    if word.lower() == "me":
        return actor.user_id
    profiles = users.public_profiles(members.ids_of(project.id))
    matches = [
        user_id
        for user_id, profile in profiles.items()
        if word.lower() in (profile["email"], profile["name"].lower(), profile["name"].split(" ")[0].lower())
    ]
    if len(matches) != 1:
        raise _invalid("quick.person_unknown", f"No member, or more than one, matches {word[:50]!r}.")
    return matches[0]


def _row(parsed: ParsedTask, project: Project, data: dict[str, Any]) -> Row:
    return {
        "title": parsed.title,
        "project": {"id": str(project.id), "key": project.key, "name": project.name},
        "labels": list(dict.fromkeys(parsed.labels)),
        "assignees": list(dict.fromkeys(parsed.people)),
        "priority": parsed.priority,
        "due": data.get("due"),
        "recurrence": parsed.recurrence,
        "recurs_from": data.get("recurs_from"),
        "estimate_minutes": parsed.estimate_minutes,
    }


def _invalid(code: str, message: str) -> Invalid:
    return Invalid("body.text", message, code=code)
