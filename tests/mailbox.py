"""An SMTP server inside the test process: what was sent is a list."""

from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from taskmanager.embedded import ports


class Mailbox:
    """The messages that arrived, oldest first. `refusing` makes the server say no for a while."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refusing = False
        self._server = Controller(self, hostname=ports.LOCALHOST, port=ports.bind(ports.LOCALHOST, 0))

    @property
    def url(self) -> str:
        """For `TASKMANAGER_MAIL_URL`."""
        return f"smtp://{ports.LOCALHOST}:{self._server.port}"

    def to(self, address: str) -> list[EmailMessage]:
        """The messages to one person."""
        return [message for message in self.messages if address in str(message["To"])]

    def open(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server.stop()

    def empty(self) -> None:
        self.messages.clear()
        self.refusing = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd with each message."""
        if self.refusing:
            return "451 try again later"
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"

    def token_to(self, address: str) -> str:
        """The one-time token in the newest message to one person."""
        words = self.to(address)[-1].get_content().split()
        return next(word for word in words if word.startswith("tc_"))
