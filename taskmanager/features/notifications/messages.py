"""The texts of notifications."""

import re
from email.headerregistry import Address
from email.message import EmailMessage

from bson import ObjectId

from taskmanager.core import settings
from taskmanager.core.querysets import Row

_LONGEST_SUBJECT = 150


def assigned(task: Row, *, event_id: ObjectId, to: dict[str, str], by: str) -> EmailMessage:
    """The mail to a person who was assigned to a task. Its Message-ID is the same each time it is made."""
    base = settings.current().base_url
    return compose(
        to,
        f"[{task['key']}] {task['title']}",
        f"{one_line(by)} assigned {task['key']} to you:\n\n"
        f"    {one_line(task['title'])}\n\n"
        f"{base}/api/v1/tasks/{task['_id']}\n",
        message_id=event_id,
    )


def compose(to: dict[str, str], subject: str, text: str, *, message_id: ObjectId) -> EmailMessage:
    """A mail to one person (`to` has `name`, which may be empty, and `email`)."""
    host = settings.current().base_url.split("://", 1)[-1].split("/")[0].split(":")[0]
    name = one_line(to["name"])
    message = EmailMessage()
    message["From"] = settings.current().mail_from
    message["To"] = Address(name, addr_spec=to["email"])
    message["Subject"] = one_line(subject)[:_LONGEST_SUBJECT]
    message["Message-ID"] = f"<{message_id}.email@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"Hello{' ' if name else ''}{name},\n\n{text}")
    return message


def one_line(text: str) -> str:
    """`text` without line breaks and control characters: what people type must not become a header or a paragraph."""
    return re.sub(r"[\s\x00-\x1f\x7f\u2028\u2029]+", " ", text).strip()
