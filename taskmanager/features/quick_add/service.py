"""Use case of quick add: one line of text becomes a task."""

from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.errors import Invalid
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.zones import zone
from taskmanager.features.projects import values
from taskmanager.features.projects.labels.service import labels
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project, name_key
from taskmanager.features.quick_add.grammar import parse
from taskmanager.features.quick_add.parsed_task import ParsedTask
from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.models import PRIORITIES, Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.users import service as users

_MAX_LABEL_CHARACTERS, _MAX_TITLE_CHARACTERS, _MAX_NAMES = 100, 500, 50


@unit_of_work
def add(text: str, *, actor: Actor, project_id: ObjectId | None = None) -> tuple[Task, Row]:
    """Make the task that a line describes; answers it, and what was understood.

    In the project that the line names, or `project_id`, or the first by hand of those that the actor may make tasks in.
    Labels that are not there are made. Raises Invalid (`quick.…`), and what making a task raises.
    """
    here = now().astimezone(zone(actor.timezone))
    said = parse(text, here)
    _check(said)
    project = _project(said.project, project_id, actor)
    data = _data(said, said.due(here), project, actor)
    return tasks.create(project.id, data, actor=actor), _row(said, project, data)


def _check(said: ParsedTask) -> None:
    """Raise Invalid for what the body of the single request could not say either."""
    if not said.title:
        raise _wrong("quick.no_title", "Nothing is left for the title.")
    if len(said.title) > _MAX_TITLE_CHARACTERS:
        raise _wrong("quick.title_too_long", f"A title has at most {_MAX_TITLE_CHARACTERS} characters.")
    if max(len(said.labels), len(said.people)) > _MAX_NAMES:
        raise _wrong("quick.too_many", f"At most {_MAX_NAMES} labels and people.")


def _data(said: ParsedTask, due: str | None, project: Project, actor: Actor) -> dict[str, Any]:
    found = {
        "title": said.title,
        "priority": PRIORITIES.index(said.priority) if said.priority else None,
        "estimate_minutes": said.estimate_minutes,
        "due": due,
        "recurrence": said.recurrence,
        "recurs_from": "completion" if said.from_completion else None,
        "label_ids": [_label(name, project, actor) for name in dict.fromkeys(said.labels)],
        "assignee_ids": [_person(word, project, actor) for word in dict.fromkeys(said.people)],
    }
    return {name: value for name, value in found.items() if value}


def _project(named: str | None, project_id: ObjectId | None, actor: Actor) -> Project:
    may = [
        key for key, role in actor.project_roles.items() if TaskAction.CREATE.allows(role) and key not in actor.archived
    ]
    projects = list(Project.objects.visible_to(actor).filter(id__in=may).order_by("position"))
    if named is not None:
        fitting = [one for one in projects if name_key(named) in (name_key(one.key), name_key(one.name))]
        problem = "You can make tasks in no project of this name."
    else:
        fitting = [one for one in projects if project_id in (None, one.id)]
        problem = "You can make tasks in no such project."
    if not fitting:
        raise _wrong("quick.project_unknown", problem)
    return fitting[0]


def _label(name: str, project: Project, actor: Actor) -> ObjectId:
    known = values.labels_called([name], [project.id])
    if known:
        return known[name_key(name)][0]
    if not actor.has_scope("projects:write"):
        raise _wrong("quick.label_unknown", f"There is no label {name[:50]!r}, and this token cannot make one.")
    return labels.create(project.id, {"name": name[:_MAX_LABEL_CHARACTERS]}, actor=actor).id


def _person(word: str, project: Project, actor: Actor) -> ObjectId:
    """Return a member by `me`, address, or name, if that is one member's alone."""
    if word.lower() == "me":
        return actor.user_id
    profiles = users.public_profiles(members.ids_of(project.id))
    fitting = [
        user_id
        for user_id, card in profiles.items()
        if word.lower() in (card["email"], card["name"].lower(), card["name"].split(" ")[0].lower())
    ]
    if len(fitting) != 1:
        raise _wrong("quick.person_unknown", f"Not one member of the project is called {word[:50]!r}.")
    return fitting[0]


def _row(said: ParsedTask, project: Project, data: dict[str, Any]) -> Row:
    return {
        "title": said.title,
        "project": {"id": str(project.id), "key": project.key, "name": project.name},
        "labels": list(dict.fromkeys(said.labels)),
        "assignees": list(dict.fromkeys(said.people)),
        "priority": said.priority,
        "due": data.get("due"),
        "recurrence": said.recurrence,
        "recurs_from": data.get("recurs_from"),
        "estimate_minutes": said.estimate_minutes,
    }


def _wrong(code: str, message: str) -> Invalid:
    return Invalid("body.text", message, code=code)
