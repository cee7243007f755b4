"""Every collection that holds something of a project is named by a step of its purge, or kept for a reason."""

from mongoengine import DictField, Document

from taskmanager.core.storage.locks import Lock
from taskmanager.features.attachments.models import OrphanedUpload
from taskmanager.features.projects.models import Project
from taskmanager.features.purging.steps import STEPS
from tests.architecture.test_holdings import documents, holds_ids

# Fields by which something belongs to a project: by its id, or by that of something which has one.
OF_PROJECTS = {"project_id", "task_id", "from_id", "to_id", "subject_id", "event_id"}
KEPT = {
    Project: "goes last",
    OrphanedUpload: "belongs to nothing, and ends after an hour",
    Lock: "by name, deleted with the project",
}
# Without such a field: found by the id of what they belong to.
BY_ID = {"Body"}


def belongs_to_projects(kind: type[Document]) -> bool:
    names = {name for name, field in kind._fields.items() if holds_ids(field) and not isinstance(field, DictField)}
    return bool(names & OF_PROJECTS) or kind.__name__ in BY_ID


def test_every_collection_of_projects_has_a_step_of_the_purge(app):
    purged = {model.__name__ for step in STEPS for model in step.models}
    named = {kind.__name__ for kind in documents() if belongs_to_projects(kind)}
    assert named - {kind.__name__ for kind in KEPT} == purged
