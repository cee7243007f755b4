"""Mail: text and HTML from templates, threads by task, one-click unsubscribe."""

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
from taskmanager.core.http import links
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext
from taskmanager.core.security import signed_tokens
from taskmanager.features.notifications.channels import mail_budget, mailer
from taskmanager.features.notifications.channels.base import Cancelled, Message, Postponed
from taskmanager.features.notifications.content.quoting import inline, one_line
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.kinds import KINDS, UNCHOSEN
from taskmanager.features.notifications.models import DIGEST
from taskmanager.features.users import service as users

UNSUBSCRIBE = "tu_"
_MAX_SUBJECT_CHARACTERS = 150
_SPECIAL = r'[()<>\[\]:;@\\,."]+'  # in names: Python loses their quotes when it folds long headers
_NO_NONCE = bytes(16)


class _Policy(EmailPolicy):
    """Python's policy, except for the links of RFC 2369: it would encode and fold them beyond recognition."""

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name in _LINKS else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("ascii") if name in _LINKS else super().fold_binary(name, value)


_LINKS = {"List-Unsubscribe"}
_POLICY = _Policy(cte_type="7bit")  # every server accepts it, with or without 8BITMIME (RFC 6152)


class EmailChannel:
    """Sends mails, within the hourly budget of each address; see `Channel`."""

    name, queue, grouped = "email", "default", True

    @property
    def seconds(self) -> float:
        return settings.current().mail_timeout_seconds

    @property
    def threads(self) -> int:
        return settings.current().mail_connections

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return the ids of the users with a verified address: others get mails about the account only."""
        return users.confirmed_ids(user_ids)

    def send(self, message: Message) -> None:
        """Send the message.

        Raises Rejected when the server permanently refuses the address or the message, OSError for other failures.
        Raises Cancelled for a notice to an address that is not verified. When the budget of the address is spent,
        raises Cancelled for mails in `mail_budget.DROPPED`, Postponed for others.
        """
        newest = message.notices[-1]
        proved = bool(users.confirmed_ids([newest.recipient_id]))
        _check_address(newest, proved)
        _spend_budget(message)
        mailer.send(compose(message, proved))


def _check_address(notice: Notice, proved: bool) -> None:
    """Raise Cancelled without an address, and for a notice to one that is not verified.

    Mails about the account are also sent to addresses that are not verified.
    """
    if not notice.to.get("email"):
        raise Cancelled("The recipient has no address.")
    if notice.kind not in UNCHOSEN and not proved:
        raise Cancelled("The address is not verified.")


def _spend_budget(message: Message) -> None:
    """Count the mail in the budget of its address. Raises Cancelled or Postponed when the budget is spent."""
    newest = message.notices[-1]
    account = newest.kind in UNCHOSEN
    budget = newest.budget if account else mail_budget.NOTICE
    until = mail_budget.spend(newest.to["email"], budget, message.delivery.id)
    if until is None:
        return
    if budget in mail_budget.DROPPED:
        raise Cancelled("The address has received the maximum of such mails in an hour.")
    digest = str(message.delivery.group).endswith(f":{DIGEST}")
    raise Postponed(until, group=None if account or digest else f"email:{newest.recipient_id}:later")


def compose(message: Message, proved: bool) -> EmailMessage:
    """Return the mail; its Message-ID is the same at each attempt.

    It greets by name only when the address is `proved`: otherwise a stranger may have chosen the name.
    """
    newest = message.notices[-1]
    name = one_line(newest.to["name"] if proved else "")
    kinds = [kind for kind in KINDS if kind in {notice.kind for notice in message.notices}]
    with languages.using(newest.language):
        mail = _with_headers(message, name)
        context = _template_context(message, name)
        context |= {"unsubscribe": _add_unsubscribe(mail, newest.recipient_id, kinds), "titles": titles(kinds)}
        mail.set_content(template("mail.txt").render(context))
        mail.add_alternative(template("mail.html").render(context), subtype="html")
        mail["Content-Language"] = languages.current()  # RFC 3282; last, because it belongs to the whole
    return mail


def _template_context(message: Message, name: str) -> dict[str, Any]:
    """Return the variables of the templates; text of users is quoted here or in the notices."""
    return {
        "name": inline(name),
        "title": inline(message.notices[-1].subject),
        "language": languages.current(),
        "notices": message.notices,
        "earlier": message.earlier,
    }


def _with_headers(message: Message, name: str) -> EmailMessage:
    """Return the mail to the user of this name, without its text."""
    mail, host = EmailMessage(_POLICY), _host()
    mail["From"] = settings.current().mail_from
    mail["To"] = Address(re.sub(_SPECIAL, " ", name), addr_spec=message.notices[-1].to["email"])
    mail["Subject"] = _subject(message.notices)[:_MAX_SUBJECT_CHARACTERS]
    mail["Date"] = now()  # required by RFC 5322, 3.6; servers and spam filters check it
    mail["Message-ID"] = f"<{message.delivery.id}.email@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    _add_thread(mail, message.notices, host)
    return mail


def unsubscribe_token(user_id: ObjectId, *kinds: str) -> str:
    """Return a token that can only turn off mails of these kinds for one user."""
    return signed_tokens.sign(UNSUBSCRIBE, user_id, *map(_digest, kinds), nonce=_NO_NONCE)


def read_unsubscribe(token: str) -> tuple[ObjectId, list[str]] | None:
    """Return (user id, kinds) of a token; None when it is not valid."""
    signed = signed_tokens.verify(UNSUBSCRIBE, token)
    kinds = [kind for kind in KINDS if signed and _digest(kind) in signed.ids[1:]]
    return (signed.ids[0], kinds) if signed and kinds else None


def titles(kinds: Iterable[str]) -> str:
    """Return the titles of these kinds, for users."""
    return "; ".join(gettext(KINDS[kind].title) for kind in kinds)


def _subject(notices: list[Notice]) -> str:
    subjects = list(dict.fromkeys(one_line(notice.subject) for notice in notices))
    if len(subjects) == 1:
        return subjects[0]
    return gettext("%(notices)s notices about %(subjects)s things", notices=len(notices), subjects=len(subjects))


def _add_thread(mail: EmailMessage, notices: list[Notice], host: str) -> None:
    """Make mail programs show mails about one task as a thread: all refer to one message, which was never sent."""
    tasks = {notice.task_id for notice in notices}
    if len(tasks) == 1 and (task_id := tasks.pop()):
        mail["In-Reply-To"] = mail["References"] = f"<task.{task_id}@{host}>"


def _add_unsubscribe(mail: EmailMessage, user_id: ObjectId, kinds: list[str]) -> str | None:
    """Add the headers of RFC 2369 and RFC 8058 for the kinds in the mail that can be turned off; return the link."""
    if not kinds:
        return None
    token = unsubscribe_token(user_id, *kinds)
    mail["List-Unsubscribe"] = f"<{links.one_click_unsubscribing(token)}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return links.unsubscribing(token)


def _digest(kind: str) -> ObjectId:
    return ObjectId(blake2b(kind.encode(), digest_size=12).digest())


def _host() -> str:
    """Return the right side of our Message-IDs; an IPv6 address is a literal (RFC 5322, 3.6.4)."""
    host = urlsplit(settings.current().base_url).hostname or "localhost"
    return f"[IPv6:{host}]" if ":" in host else host


@cache
def template(name: str) -> jinja2.Template:
    """Return a template of the folder `templates`; HTML templates escape their variables."""
    loader = jinja2.PackageLoader("taskmanager.features.notifications.channels")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=jinja2.select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        languages.gettext, languages.plural_form, newstyle=True
    )
    return environment.get_template(name)
