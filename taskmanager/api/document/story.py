"""The story of the examples: Ada Lovelace plans the release of the project APP, and Grace Hopper helps."""

ADA = "65f1c0ffee0123456789a001"
GRACE = "65f1c0ffee0123456789a002"
PROJECT = "65f1c0ffee0123456789b001"
TASK = "65f1c0ffee0123456789c001"
_OTHER_TASK = "65f1c0ffee0123456789c002"
_LABEL = "65f1c0ffee0123456789d001"
COMMENT = "65f1c0ffee0123456789e001"
ATTACHMENT = "65f1c0ffee0123456789e002"
_VIEW = "65f1c0ffee0123456789e003"
_WEBHOOK = "65f1c0ffee0123456789f001"
EVENT = "65f1c0ffee0123456789f002"
_CREATED, _UPDATED = "2026-11-02T09:00:00.000Z", "2026-11-16T14:30:00.000Z"
_NEXT = "2026-12-01T09:00:00.000Z"

_IDS = {
    "actor_id": ADA,
    "owner_id": ADA,
    "author_id": ADA,
    "reporter_id": ADA,
    "user_id": GRACE,
    "project_id": PROJECT,
    "task_id": TASK,
    "subject_id": TASK,
    "webhook_id": _WEBHOOK,
    "event_id": EVENT,
    "comment_id": COMMENT,
    "assignee_ids": [GRACE],
    "watcher_ids": [ADA, GRACE],
    "label_ids": [_LABEL],
    "UserOut.id": ADA,
    "Me.id": ADA,
    "UserAdminOut.id": GRACE,
    "PersonCard.id": GRACE,
    "ProjectOut.id": PROJECT,
    "ProjectCard.id": PROJECT,
    "TaskOut.id": TASK,
    "TaskRead.id": TASK,
    "TaskCard.id": _OTHER_TASK,
    "RelatedTask.id": _OTHER_TASK,
    "RelationIn.task_id": _OTHER_TASK,
    "LabelOut.id": _LABEL,
    "LabelCard.id": _LABEL,
    "CommentOut.id": COMMENT,
    "CommentRead.id": COMMENT,
    "AttachmentOut.id": ATTACHMENT,
    "ViewOut.id": _VIEW,
    "WebhookOut.id": _WEBHOOK,
    "WebhookMade.id": _WEBHOOK,
}
_OPEN = dict.fromkeys(  # what is null in the story
    (
        *("parent_id", "series_id", "next_task_id", "deleted_at", "completed_at", "archived_at", "revoked_at"),
        *("disabled_at", "disabled_because", "failing_since", "filter_problem", "last_error", "ended_at", "read_at"),
        *("next_cursor", "UserAdminOut.disabled_at"),
        *("TaskRead.parent", "Result.problem", "Attempt.error", "blocked_by"),
    )
)
_VALUES = {
    "created_at": _CREATED,
    "updated_at": _UPDATED,
    "revision": 3,
    "UserAdminOut.email": "grace@example.com",
    "UserAdminOut.name": "Grace Hopper",
    "expires_at": _NEXT,
    "TaskPlace.at": "first",
}

_TASK = {
    "key": "APP-1",
    "status": "in_progress",
    "status_group": "active",
    "priority": "high",
    "created_at": "2026-11-09T08:15:00.000Z",
    "started_at": "2026-11-16T14:30:00.000Z",
    "start_at": None,
    "due_at": "2026-12-01T22:59:59.999Z",
    "due_timezone": None,
    "recurrence": None,
    "recurs_from": None,
}
_TASKS = {f"{schema}.{name}": value for schema in ("TaskOut", "TaskRead") for name, value in _TASK.items()}

STORY = _IDS | _OPEN | _VALUES | _TASKS
