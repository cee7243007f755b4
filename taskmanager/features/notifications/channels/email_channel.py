"""Mail: text and HTML from templates, threads by task, one click to be told no more."""

import re
from collections.abc import Iterable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from functools import cache
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import jinja2
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.security import signed_tokens
from taskmanager.features.notifications.channels import mail_budget, mailer
from taskmanager.features.notifications.channels.base import Cancelled, Message, Postponed
from taskmanager.features.notifications.content.quoting import one_line, words
from taskmanager.features.notifications.content.registry import Notice, url
from taskmanager.features.notifications.kinds import KINDS, UNCHOSEN
from taskmanager.features.notifications.models import DIGEST
from taskmanager.features.users import service as users

UNSUBSCRIBE = "tu_"
_MAX_SUBJECT_CHARACTERS = 150
_SPECIAL = r'[()<>\[\]:;@\\,."]+'  # in names: what Python's folding of long headers would leave without its quotes
_NO_NONCE = bytes(16)


class _Policy(EmailPolicy):
    """Python's, but for the links of RFC 2369, which it would encode and fold so that mail programs find none."""

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name in _LINKS else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("ascii") if name in _LINKS else super().fold_binary(name, value)


_LINKS = {"List-Unsubscribe"}
_POLICY = _Policy(cte_type="7bit")  # every server takes it, whether or not it knows 8BITMIME (RFC 6152)


class EmailChannel:
    """See `Channel`."""

    name, queue, bundled = "email", "default", True

    @property
    def seconds(self) -> float:
        return settings.current().mail_timeout_seconds

    @property
    def threads(self) -> int:
        return settings.current().mail_connections

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return who has proved their address: others get mails about the account only."""
        return users.proved_ids(user_ids)

    def send(self, message: Message) -> None:
        """Send it. Raises Rejected for an address that the server refuses for good, OSError for other trouble.

        Raises Cancelled for a notice to an address that is not proved, and when the budget of the address is spent for
        something that is not to wait; Postponed for what is.
        """
        newest = message.notices[-1]
        proved = bool(users.proved_ids([newest.recipient_id]))
        _check_address(newest, proved)
        _spend_budget(message)
        mailer.send(compose(message, proved))


def _check_address(notice: Notice, proved: bool) -> None:
    """Raise Cancelled when there is no address, or none that was proved: to others go mails about the account only."""
    if not notice.to.get("email"):
        raise Cancelled("There is no address.")
    if notice.kind not in UNCHOSEN and not proved:
        raise Cancelled("The address is not proved.")


def _spend_budget(message: Message) -> None:
    """Count the mail in the budget of its address. Raises Cancelled or Postponed when that is spent."""
    newest = message.notices[-1]
    account = newest.kind in UNCHOSEN
    budget = newest.budget if account else mail_budget.NOTICE
    until = mail_budget.spend(newest.to["email"], budget, message.delivery.id)
    if until is None:
        return
    if budget in mail_budget.DROPPED:
        raise Cancelled("This address has got as many such mails as it gets in an hour.")
    digest = str(message.delivery.bundle).endswith(f":{DIGEST}")
    raise Postponed(until, bundle=None if account or digest else f"email:{newest.recipient_id}:later")


def compose(message: Message, proved: bool) -> EmailMessage:
    """Return the mail; its Message-ID is the same each time it is made.

    It greets by name only at an address that is `proved`: whoever registered another chose the name.
    """
    newest = message.notices[-1]
    name = one_line(newest.to["name"] if proved else "")
    mail = _headed(message, name)
    kinds = [kind for kind in KINDS if kind in {notice.kind for notice in message.notices}]
    shown = _shown(message, name) | {"unsubscribe": _unsubscribable(mail, newest.recipient_id, kinds)}
    shown |= {"titles": titles(kinds)}
    mail.set_content(template("mail.txt").render(shown))
    mail.add_alternative(template("mail.html").render(shown), subtype="html")
    return mail


def _shown(message: Message, name: str) -> dict[str, Any]:
    """Return what the templates show of a message; the words of people are made harmless here or in the notices."""
    return {
        "name": words(name),
        "title": words(message.notices[-1].subject),
        "base": settings.current().base_url,
        "notices": message.notices,
        "earlier": message.earlier,
    }


def _headed(message: Message, name: str) -> EmailMessage:
    """Return the mail to the person of this name without its text."""
    mail, host = EmailMessage(_POLICY), _host()
    mail["From"] = settings.current().mail_from
    mail["To"] = Address(re.sub(_SPECIAL, " ", name), addr_spec=message.notices[-1].to["email"])
    mail["Subject"] = _subject(message.notices)[:_MAX_SUBJECT_CHARACTERS]
    mail["Date"] = now()  # RFC 5322, 3.6: required; servers and spam filters look for it
    mail["Message-ID"] = f"<{message.delivery.id}.email@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    _thread(mail, message.notices, host)
    return mail


def unsubscribe_token(user_id: ObjectId, *kinds: str) -> str:
    """Return the token that turns off mails of some kinds for one person, and does nothing else."""
    return signed_tokens.sign(UNSUBSCRIBE, user_id, *map(_digest, kinds), nonce=_NO_NONCE)


def read_unsubscribe(token: str) -> tuple[ObjectId, list[str]] | None:
    """Return whom and which kinds a token is about; None when it is not one of ours."""
    seal = signed_tokens.verify(UNSUBSCRIBE, token)
    kinds = [kind for kind in KINDS if seal and _digest(kind) in seal.ids[1:]]
    return (seal.ids[0], kinds) if seal and kinds else None


def titles(kinds: Iterable[str]) -> str:
    """Return what people call these kinds."""
    return "; ".join(KINDS[kind].title for kind in kinds)


def _subject(notices: list[Notice]) -> str:
    subjects = list(dict.fromkeys(one_line(notice.subject) for notice in notices))
    return subjects[0] if len(subjects) == 1 else f"{len(notices)} notices about {len(subjects)} things"


def _thread(mail: EmailMessage, notices: list[Notice], host: str) -> None:
    """Mail programs show together what refers to one message: each task has one, which was never sent."""
    tasks = {notice.task_id for notice in notices}
    if len(tasks) == 1 and (task_id := tasks.pop()):
        mail["In-Reply-To"] = mail["References"] = f"<task.{task_id}@{host}>"


def _unsubscribable(mail: EmailMessage, user_id: ObjectId, kinds: list[str]) -> str | None:
    """Return RFC 2369 and RFC 8058, for what may be turned off: all that the mail tells of; answers the link."""
    if not kinds:
        return None
    link = url(f"/notifications/unsubscribe?token={unsubscribe_token(user_id, *kinds)}")
    mail["List-Unsubscribe"] = f"<{link}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return link


def _digest(kind: str) -> ObjectId:
    return ObjectId(blake2b(kind.encode(), digest_size=12).digest())


def _host() -> str:
    """Return the right side of our Message-IDs; an IPv6 address is a literal (RFC 5322, 3.6.4)."""
    host = urlsplit(settings.current().base_url).hostname or "localhost"
    return f"[IPv6:{host}]" if ":" in host else host


@cache
def template(name: str) -> jinja2.Template:
    """Return one of the templates beside this, which escape what is put into HTML."""
    loader = jinja2.PackageLoader("taskmanager.features.notifications.channels")
    environment = jinja2.Environment(
        loader=loader, autoescape=jinja2.select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)
