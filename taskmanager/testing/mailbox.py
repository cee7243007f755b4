"""An SMTP server inside the test process, with a list of the messages that it has received."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from taskmanager.embedded import ports


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a message."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


class Mailbox:
    """The received messages, oldest first.

    With `refusing` the server rejects all messages temporarily; mailboxes in `unknown` are rejected permanently, those
    in `busy` temporarily.
    """

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.raw: list[bytes] = []  # as they came over the wire
        self.refusing = False
        self.unknown: set[str] = set()
        self.busy: set[str] = set()
        self._sessions: list[SMTP] = []
        self._server = Controller(self, hostname=ports.LOCALHOST, port=ports.choose())

    @property
    def url(self) -> str:
        """Return the URL for `TASKMANAGER_MAIL_URL`."""
        return f"smtp://{ports.LOCALHOST}:{self._server.port}"

    def to(self, address: str) -> list[EmailMessage]:
        """Return the messages to this address."""
        return [message for message in self.messages if address in str(message["To"])]

    def open(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server.stop()

    def empty(self) -> None:
        self.messages.clear()
        self.raw.clear()
        self.refusing = False
        self.unknown, self.busy = set(), set()

    def hang_up(self) -> None:
        """Close every connection, as a server that restarts."""
        for session in self._sessions:
            if session.transport is not None:
                session.loop.call_soon_threadsafe(session.transport.close)
        self._sessions.clear()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Called by aiosmtpd with the sender."""
        self._sessions.append(server)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Called by aiosmtpd with each recipient."""
        if address in self.unknown:
            return "550 no such mailbox"
        if address in self.busy:
            return "450 mailbox busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd with each message."""
        if self.refusing:
            return "451 try again later"
        if b"unwanted words" in (envelope.original_content or b""):
            return "554 not this message"
        self.raw.append(envelope.original_content or b"")
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"

    def token_to(self, address: str) -> str:
        """Return the one-time token in the newest message to this address."""
        return re.findall(r"tc_[\w-]+", text_of(self.to(address)[-1]))[0]
