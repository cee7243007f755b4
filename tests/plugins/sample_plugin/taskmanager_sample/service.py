"""Use cases. They know neither Flask nor marshmallow."""

from collections import Counter

from bson import ObjectId

from taskmanager.core.error_codes import ErrorCode
from taskmanager.core.errors import Conflict
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.chunked_updates import delete_some
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.feature import settings_of
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.holdings import Recovery
from taskmanager_sample.events import Greeted
from taskmanager_sample.models import Greeting
from taskmanager_sample.permissions import SampleAction
from taskmanager_sample.settings import SampleSettings

_BATCH = 200


CODES = (
    ErrorCode(
        "sample.not_a_name",
        409,
        "This is no name",
        "`Null` is what programs write when they know no name.",
        "Send the name of a person.",
        "x_sample_sample_greet x_sample_sample_greet_on_task",
    ),
)


def words(name: str) -> str:
    """Return the greeting of the settings for a name. Raises Conflict (`sample.not_a_name`)."""
    if name == "Null":
        raise Conflict("This is no name.", code="sample.not_a_name")
    return f"{settings_of(SampleSettings).greeting}, {name}!"


@unit_of_work
def greet(task_id: ObjectId, name: str, *, actor: Actor) -> Greeting:
    """Greet a user on a task. Raises NotFound, Forbidden, Conflict (`project.archived`)."""
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, SampleAction.GREET, task)
    greeting = Greeting(project_id=task.project_id, task_id=task.id, author_id=actor.user_id, text=words(name))
    greeting.save(force_insert=True)
    record(Greeted(greeting, actor))
    return greeting


def numbers(task_ids: list[ObjectId], actor: Actor) -> dict[ObjectId, Row]:
    """Return how often each of some tasks was greeted on: {task id: {"count": number}}. For `?expand=greetings`."""
    found = Counter(Greeting.objects(task_id__in=task_ids).scalar("task_id"))
    return {task_id: {"count": found[task_id]} for task_id in task_ids}


def purge_project(project_id: ObjectId) -> int:
    """Delete some greetings of a project that is purged; return how many, 0 when none are left."""
    return delete_some(Greeting.objects(project_id=project_id), _BATCH)


def forget_task(task_id: ObjectId) -> None:
    """Delete the greetings on a task that is gone. Safe to repeat."""
    Greeting.objects(task_id=task_id).delete()


def forget_account(user_id: ObjectId) -> None:
    """Delete what an account that was erased had written. Safe to repeat."""
    Greeting.objects(author_id=user_id).delete()


def recover(recovery: Recovery) -> int:
    """Delete what an earlier holder of a recovered account had written; return how many."""
    return delete_some(recovery.of_earlier_holder(Greeting.objects(author_id=recovery.user.id)), _BATCH)
