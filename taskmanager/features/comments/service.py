"""Use cases of comments: Markdown texts with mentions of members, earlier versions and reactions."""

import re
from collections.abc import Sequence

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.errors import Conflict, Forbidden
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor, Visitor, members_only
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import outside, unit_of_work
from taskmanager.features.comments.events import CommentCreated, CommentDeleted, CommentReacted, CommentUpdated
from taskmanager.features.comments.markdown import plain_html, to_html
from taskmanager.features.comments.models import MAX_VERSIONS, Comment
from taskmanager.features.comments.permissions import CommentAction
from taskmanager.features.comments.reactions import canonical
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.members import service as members
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import service as users

MAX_MENTIONS = 20
MAX_RENDERED_CHARACTERS = 40_000  # of comments without stored HTML, in one request
MAX_REACTIONS = 20  # different ones, of one comment
# A mention is @ with an address or an id, not after an ASCII letter or digit that could belong to another address. In
# scripts without spaces it directly follows a word, and their keyboards type a full-width @.
_MENTION = re.compile(
    r"(?<![A-Za-z0-9_@\uff20.+-])[@\uff20](?:([0-9a-f]{24})(?![A-Za-z0-9])"
    r"|([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+[@\uff20][A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+))"
)


def visible(task_id: ObjectId, actor: Actor) -> Described:
    """Return the comments of a task, for visitors without addresses.

    Raises NotFound unless the actor may see the task.
    """
    Task.objects.visible_to(actor).check_exists(task_id)
    return Described(Comment.objects(task_id=task_id), lambda rows: [readable(row, actor) for row in rows])


def get(task_id: ObjectId, comment_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """Return one comment. Raises NotFound."""
    return visible(task_id, actor).row(comment_id, fields)


def create(task_id: ObjectId, text: str, *, actor: Actor) -> Comment:
    """Write a comment. Raises NotFound, Forbidden."""
    return _create(task_id, text, _html_of(text), actor=actor)


@unit_of_work
def _create(task_id: ObjectId, text: str, html: str, *, actor: Actor) -> Comment:
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, CommentAction.WRITE, task)
    projects.order_writers(task.project_id)
    mentioned = _mentioned(text, task)
    comment = Comment(task_id=task.id, author_id=actor.user_id, text=text, html=html, mentioned_ids=mentioned)
    comment.save(force_insert=True)
    record(CommentCreated(task, actor, comment=comment, mentioned=comment.mentioned_ids))
    return comment


def update(task_id: ObjectId, comment_id: ObjectId, text: str, *, if_match: IfMatch, actor: Actor) -> Comment:
    """Change an own comment, and keep the earlier version. Raises NotFound, Forbidden, PreconditionFailed."""
    return _update(task_id, comment_id, text, _html_of(text), if_match=if_match, actor=actor)


def _html_of(text: str) -> str:
    """Return the HTML of a text, rendered outside of a transaction because it is slow."""
    return outside(("html", text), lambda: to_html(text))


@unit_of_work
def _update(
    task_id: ObjectId, comment_id: ObjectId, text: str, html: str, *, if_match: IfMatch, actor: Actor
) -> Comment:
    task, comment = _load(task_id, comment_id, actor)
    authorize(actor, CommentAction.WRITE, task)
    if comment.author_id != actor.user_id:
        raise Forbidden("Only the author can change a comment.", code="comment.not_yours")
    comment.check_revision(if_match)
    if comment.text == text:
        return comment
    moment, before = now(), comment
    history = [*comment.history, {"text": comment.text, "until": moment}][-MAX_VERSIONS:]
    mentioned = _mentioned(text, task)
    comment = comment.write(text=text, html=html, mentioned_ids=mentioned, history=history, edited_at=moment)
    new = [user_id for user_id in mentioned if user_id not in before.mentioned_ids]
    record(CommentUpdated(task, actor, comment=comment, mentioned=new))
    return comment


@unit_of_work
def delete(task_id: ObjectId, comment_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a comment: an own one, or as a manager any. Raises NotFound, Forbidden, PreconditionFailed."""
    task, comment = _load(task_id, comment_id, actor)
    own = comment.author_id == actor.user_id
    authorize(actor, CommentAction.WRITE if own else CommentAction.DELETE_ANY, task)
    comment.check_revision(if_match)
    comment.delete()
    record(CommentDeleted(task, actor, comment=comment))


def rendered(rows: Sequence[Row]) -> list[str]:
    """Return the HTML of stored comments.

    Comments of earlier releases have no stored HTML: they are rendered up to MAX_RENDERED_CHARACTERS together, and
    shown unformatted beyond that.
    """
    remaining, found = MAX_RENDERED_CHARACTERS, []
    for row in rows:
        html = row.get("html")
        if html is None:
            remaining -= len(row["text"])
            html = to_html(row["text"]) if remaining >= 0 else plain_html(row["text"])
        found.append(html)
    return found


def history(task_id: ObjectId, comment_id: ObjectId, *, actor: Actor) -> list[Row]:
    """Return the earlier versions of a comment, the oldest first: [{text, until}].

    Raises NotFound, Forbidden for a visitor.
    """
    row = visible(task_id, actor).row(comment_id, ["history"])
    members_only(actor)
    return list(row.get("history", []))


def readable(row: Row, actor: Actor) -> Row:
    """Return a comment; for visitors the addresses of mentioned members are replaced, and the HTML is left out."""
    if not isinstance(actor, Visitor) or "text" not in row:
        return row
    text = _MENTION.sub(lambda found: found[0] if found[1] else "@…", row["text"])
    kept = row if text == row["text"] else {name: value for name, value in row.items() if name != "html"}
    return kept | {"text": text}


@unit_of_work
def react(
    task_id: ObjectId, comment_id: ObjectId, emoji: str, given: bool, *, if_match: IfMatch, actor: Actor
) -> Comment:
    """Add (`given`) or remove the reaction of the actor to a comment.

    Raises NotFound, Forbidden, PreconditionFailed, Conflict (`comment.too_many_reactions`).
    """
    task, comment = _load(task_id, comment_id, actor)
    authorize(actor, CommentAction.WRITE, task)
    comment.check_revision(if_match)
    people: dict[str, list[ObjectId]] = {}
    for reaction in comment.reactions:  # earlier releases stored other forms of the same emoji
        people.setdefault(canonical(reaction["emoji"]) or reaction["emoji"], []).extend(reaction["user_ids"])
    others = [user_id for user_id in people.get(emoji, []) if user_id != actor.user_id]
    if given == (len(others) < len(people.get(emoji, []))):
        return comment
    people[emoji] = [*others, actor.user_id] if given else others
    reactions = [{"emoji": word, "user_ids": user_ids} for word, user_ids in people.items() if user_ids]
    if len(reactions) > MAX_REACTIONS:
        raise Conflict(f"A comment has at most {MAX_REACTIONS} reactions.", code="comment.too_many_reactions")
    comment = comment.write(reactions=reactions)
    record(CommentReacted(task, actor, {emoji: [not given, given]}, comment=comment))
    return comment


def _load(task_id: ObjectId, comment_id: ObjectId, actor: Actor) -> tuple[Task, Comment]:
    """Return a comment that will be written, and its task. Raises NotFound."""
    task = Task.objects.visible_to(actor).one(task_id)
    projects.order_writers(task.project_id)
    return task, Comment.objects(task_id=task_id).one(comment_id)


def _mentioned(text: str, task: Task) -> list[ObjectId]:
    """Return the ids of the members that a text mentions, each once, at most MAX_MENTIONS; ignores other mentions."""
    found = list(dict.fromkeys(_MENTION.findall(text)))[:MAX_MENTIONS]
    ids = [ObjectId(user_id) if user_id else users.find_id(email=email) for user_id, email in found]
    return members.member_ids_among(task.project_id, list(dict.fromkeys(filter(None, ids))))
