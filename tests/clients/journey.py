"""The main journey through the generated Python client, as a user of it writes the program.

Nothing is cast, and no required property is compared with Unset: mypy, in strict mode, agrees (`make clients`).
"""

import sys
from typing import Any, TypeVar
from uuid import uuid4

from taskmanager_client import AuthenticatedClient, Client
from taskmanager_client.api.collaboration import create_comment, list_comments
from taskmanager_client.api.notifications import list_notifications
from taskmanager_client.api.projects import add_member, create_project
from taskmanager_client.api.start_here import log_in, register_user
from taskmanager_client.api.tasks import complete_task, create_task, get_task, list_project_tasks, update_task
from taskmanager_client.models import (
    CommentIn,
    CommentOut,
    CommentReadPage,
    Credentials,
    InvitationOut,
    MemberByEmail,
    NotificationPage,
    Priority,
    Problem,
    ProjectIn,
    ProjectOut,
    ProjectRole,
    Registration,
    TaskIn,
    TaskOut,
    TaskPatch,
    TaskRead,
    TaskReadPage,
    Tokens,
    UserOut,
)
from taskmanager_client.types import Response

T = TypeVar("T")

_PASSWORD = "correct horse battery"


def body(response: Response[Any], kind: type[T]) -> T:
    """Return the body of a response, which must be of this kind."""
    assert isinstance(response.parsed, kind), response.content
    return response.parsed


def account(url: str, name: str) -> tuple[UserOut, AuthenticatedClient]:
    """Make an account, log in, and return both."""
    client, email = Client(base_url=url), f"{name}.{uuid4().hex[:8]}@example.com"
    user = body(
        register_user.sync_detailed(client=client, body=Registration(email=email, name=name, password=_PASSWORD)),
        UserOut,
    )
    tokens = body(log_in.sync_detailed(client=client, body=Credentials(email=email, password=_PASSWORD)), Tokens)
    return user, AuthenticatedClient(base_url=url, token=tokens.access_token)


def main(url: str) -> None:
    """Walk from two accounts to a task that is done, and to what the other user is told of it."""
    ada, client = account(url, "ada")
    grace, other = account(url, "grace")
    key = "".join(chr(65 + int(digit, 16)) for digit in uuid4().hex[:8])
    project = body(
        create_project.sync_detailed(client=client, body=ProjectIn(key=key, name="Our application")), ProjectOut
    )
    invited = body(
        add_member.sync_detailed(
            project.id, client=client, body=MemberByEmail(kind="email", email=grace.email, role=ProjectRole.MEMBER)
        ),
        InvitationOut,
    )
    assert (invited.role, invited.email) == (ProjectRole.MEMBER, grace.email)

    titles = ["Write the release notes", "Make the screenshots", "Tell the users"]
    tasks = [
        body(create_task.sync_detailed(project.id, client=client, body=TaskIn(title=title)), TaskOut)
        for title in titles
    ]
    assert [task.key for task in tasks] == [f"{key}-{number}" for number in (1, 2, 3)]
    change = TaskPatch(priority=Priority.HIGH, assignee_ids=[ada.id])
    etag = get_task.sync_detailed(tasks[0].id, client=client).headers["ETag"]
    changed = update_task.sync_detailed(tasks[0].id, client=client, body=change, if_match=etag)
    task = body(changed, TaskOut)
    assert (task.priority, task.assignee_ids, task.revision) == (Priority.HIGH, [ada.id], 2)
    stale = update_task.sync_detailed(task.id, client=client, body=change, if_match=etag)
    problem = body(stale, Problem)
    assert (problem.status, problem.code) == (412, "precondition.failed")
    done = body(complete_task.sync_detailed(task.id, client=client, if_match=changed.headers["ETag"]), TaskOut)
    assert done.completed_at is not None
    assert done.completed_at.tzinfo is not None

    seen: list[TaskRead] = []
    page = body(list_project_tasks.sync_detailed(project.id, client=client, limit=2), TaskReadPage)
    seen += page.items
    while page.next_cursor is not None:
        page = body(
            list_project_tasks.sync_detailed(project.id, client=client, limit=2, cursor=page.next_cursor), TaskReadPage
        )
        seen += page.items
    assert [one.title for one in seen] == titles

    comment = body(create_comment.sync_detailed(task.id, client=client, body=CommentIn(text="Done.")), CommentOut)
    comments = body(list_comments.sync_detailed(task.id, client=client), CommentReadPage)
    assert [one.id for one in comments.items] == [comment.id]
    told = body(list_notifications.sync_detailed(client=other), NotificationPage)
    print(f"{len(seen)} tasks, {len(comments.items)} comment, {len(told.items)} notifications")


if __name__ == "__main__":
    main(sys.argv[1])
