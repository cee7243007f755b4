"""Tasks."""

from collections.abc import Iterable
from typing import Any, Self

from bson import ObjectId
from mongoengine import BooleanField, DateTimeField, DictField, IntField, ListField, ObjectIdField, StringField

from taskmanager.core.clock import now
from taskmanager.core.search_tokens import description_tokens_of, tokens_of
from taskmanager.core.storage.documents import Versioned
from taskmanager.core.storage.orders import natural_key
from taskmanager.features.projects.workflow import GROUPS, OPEN_GROUPS
from taskmanager.features.tasks.counts import writing as counting
from taskmanager.features.tasks.due import due_at, is_floating
from taskmanager.features.tasks.querysets import TaskQuerySet

PRIORITIES = ("none", "low", "medium", "high", "urgent")  # stored as the position, so that it sorts
RECURS_FROM = ("due", "completion")
MAX_TITLE_CHARACTERS = 500
MAX_RULE_CHARACTERS = 500  # of a recurrence rule in a request
_TAGGED = ("assignee_ids", "label_ids", "watcher_ids")  # the arguments of index_tags_of


class Task(Versioned):
    """Something to be done in a project."""

    meta = {"collection": "tasks", "db_alias": "tasks", "queryset_class": TaskQuerySet}
    shard_field = "project_id"

    project_id = ObjectIdField(required=True)
    key = StringField(required=True)
    key_order = StringField()  # by which keys are sorted: see natural_key
    title = StringField(required=True, max_length=MAX_TITLE_CHARACTERS)
    description = StringField(max_length=50_000)
    status = StringField(required=True)
    status_group = StringField(required=True, choices=GROUPS)  # the group of the status, so that lists need no workflow
    priority = IntField(required=True, default=0)
    label_ids = ListField(ObjectIdField())
    assignee_ids = ListField(ObjectIdField())
    watcher_ids = ListField(ObjectIdField())
    reporter_id = ObjectIdField(required=True)
    parent_id = ObjectIdField()
    progress = DictField()  # of its subtasks: their number (`total`) and the number of those that are `done`
    start_at = DateTimeField()
    due = StringField()
    due_at = DateTimeField()
    due_floating = BooleanField()  # `due` has no zone: `due_at` is computed in the zone of the project
    estimate_minutes = IntField()
    due_timezone = StringField()  # the zone of a due with an offset
    due_timezone_chosen = BooleanField()  # `due_timezone` is that of an account: unset with the zone of the due
    recurrence = StringField(max_length=600)
    recurs_from = StringField(choices=RECURS_FROM)
    recurs_at = StringField()  # the time of day of a series
    series_id = ObjectIdField()  # the first task of the series; unset in that task itself
    next_task_id = ObjectIdField()  # the task that was created when this one was completed
    withdrawn_id = ObjectIdField()  # id of the next task that was deleted when this one was reopened
    withdrawn_key = StringField()
    position = StringField(required=True)
    custom_fields = DictField()
    started_at = DateTimeField()  # when it first became active
    completed_at = DateTimeField()
    closed_at = DateTimeField()  # when it was done or cancelled; unset while it is open
    index_tags = ListField(StringField(), db_field="marks")  # see index_tags_of
    title_tokens = ListField(StringField(), db_field="words")  # tokens of the title, for searches
    description_tokens = ListField(StringField())  # tokens of the description, for searches
    former_keys = ListField(StringField())  # from before it moved to another project
    deleted_at = DateTimeField()
    purged_at = DateTimeField()  # when its purge began: it cannot be restored any more
    purged_by = ObjectIdField()  # the user who began the purge; unset when its days in the trash were over
    purged_with = ObjectIdField()  # the parent task whose purge includes it
    purge_after = DateTimeField()  # when a purge that failed is tried again
    trashed_with = ObjectIdField()  # the parent task with which it was put into the trash
    own_writes = IntField()  # number of revisions that the service made without a user: see by_service

    @property
    def is_open(self) -> bool:
        """Return whether the task is neither done nor cancelled."""
        return self.status_group in OPEN_GROUPS

    @property
    def is_edited(self) -> bool:
        """Return whether a user has changed the task since its creation."""
        return self.revision - (self.own_writes or 0) > 1

    def consequences(self, changes: dict[str, Any], timezone: str | None = None) -> dict[str, Any]:
        """Return `changes` with the fields of this task that are computed from them.

        `status` needs its `status_group` beside it; `due` and `project_id` need the `timezone` of the project.
        """
        follows: dict[str, Any] = {}
        if changes.keys() & {"due", "project_id"}:
            due = changes.get("due", self.due)
            follows["due_at"] = due and due_at(due, timezone)
            follows["due_floating"] = True if due and is_floating(due) else None
        group = changes.get("status_group", self.status_group)
        if (group == "done") != (self.status_group == "done"):
            follows["completed_at"] = now() if group == "done" else None
        if (group in OPEN_GROUPS) == (self.closed_at is not None):
            follows["closed_at"] = None if group in OPEN_GROUPS else now()
        if group == "active" and self.started_at is None:
            follows["started_at"] = now()
        return {**changes, **follows}

    def clean(self) -> None:
        """Compute the fields for queries before MongoEngine validates and inserts the task."""
        self.key_order = natural_key(self.key)
        self.title_tokens = tokens_of(self.title)
        self.description_tokens = description_tokens_of(self.description)
        self.index_tags = index_tags_of(*map(self.plain_value, _TAGGED))

    def derived(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return the fields for queries that are computed from `changes`; see Versioned."""
        found: dict[str, Any] = {}
        if "key" in changes:
            found["key_order"] = natural_key(changes["key"])
        if "title" in changes:
            found["title_tokens"] = tokens_of(changes["title"])
        if "description" in changes:
            found["description_tokens"] = description_tokens_of(changes["description"]) or None
        if changes.keys() & set(_TAGGED):
            found["index_tags"] = index_tags_of(*[changes.get(field, getattr(self, field)) for field in _TAGGED])
        return found

    def new_references(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return the references in `changes` that are new in the task; only these are checked.

        So a former member or a deleted label that the task still has does not block other edits.
        """
        found: dict[str, Any] = {}
        for field in {"assignee_ids", "label_ids"} & changes.keys():
            known = set(getattr(self, field))
            found[field] = [one for one in changes[field] if one not in known]
        fields = changes.get("custom_fields") or {}
        changed = {key: value for key, value in fields.items() if not _same(self.custom_fields.get(key), value)}
        return found | {"custom_fields": changed}

    @classmethod
    def on_write(cls, pairs: Iterable[tuple[Self | None, Self | None]]) -> None:
        """Count the written tasks; see Versioned."""
        counting.count(pairs)

    def by_service(self, **changes: Any) -> dict[str, Any]:
        """Return `changes` marked as made by the service, such as those for a deleted label; see `is_edited`."""
        return {**changes, "own_writes": (self.own_writes or 0) + 1}


def _same(before: Any, after: Any) -> bool:
    """Return whether two values are the same, in type too: False and 0 are not."""
    return type(before) is type(after) and bool(before == after)


def index_tags_of(assignees: list[ObjectId], labels: list[ObjectId], watchers: list[ObjectId]) -> list[str]:
    """Return the index tags of a task: assignees, labels and watchers in one list, as an index has one list at most.

    `a` is the tag of a task without assignees, `l` that of one without labels.
    """
    tags = [f"a:{user_id}" for user_id in assignees] or ["a"]
    tags += [f"l:{label_id}" for label_id in labels] or ["l"]
    return tags + [f"w:{user_id}" for user_id in watchers]
