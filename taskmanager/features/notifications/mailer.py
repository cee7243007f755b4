"""Sending mail: a real mailer and a Null one, chosen by `TASKMANAGER_MAIL_URL`."""

import smtplib
import socket
import ssl
import threading
import time
from email.message import EmailMessage
from typing import Protocol

from taskmanager.core import settings
from taskmanager.core.connection_urls import mail_server
from taskmanager.core.deadline import deadline
from taskmanager.core.errors import Misconfigured
from taskmanager.features.notifications.channels import Rejected

_GREETED, _FINE, _FOR_GOOD = 220, 250, 500  # answers of a server (RFC 5321): those from 500 on are final
_KEPT_SECONDS = 20.0


class Mailer(Protocol):
    """What can send a message."""

    def send(self, message: EmailMessage) -> None:
        """Hand the message over. Raises OSError (`smtplib.SMTPException` is one) when it was not taken."""


class NullMailer:
    """Sends nothing: `null://`."""

    def send(self, message: EmailMessage) -> None:
        """Forget the message."""


class SmtpMailer:
    """Sends over SMTP: `smtp://` in clear, `smtp+tls://` with STARTTLS, `smtps://` with TLS from the start.

    A connection is kept for some seconds, so that many mails need not greet the server each.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._place, self._timeout = mail_server(url), timeout
        self._server: smtplib.SMTP | None = None
        self._used_at = 0.0

    def send(self, message: EmailMessage) -> None:
        """Hand the message to the server, within the timeout as a whole.

        Raises Rejected when the server refuses address or message for good, OSError when it may work another time.
        """
        with deadline(self._timeout, self._cut):
            try:
                self._greeted().send_message(message)
            except smtplib.SMTPRecipientsRefused as error:
                self.quit()
                codes = {code for code, _ in error.recipients.values()}
                if min(codes) >= _FOR_GOOD:
                    raise Rejected(f"The address is refused: {error}"[:500]) from None
                raise
            except smtplib.SMTPDataError as error:
                self.quit()
                if error.smtp_code >= _FOR_GOOD:
                    raise Rejected(f"The message is refused: {error}"[:500]) from None
                raise
            except BaseException:
                self.quit()
                raise
        self._used_at = time.monotonic()

    def _greeted(self) -> smtplib.SMTP:
        """A connection that answers; the kept one, if it does."""
        if self._server is not None:
            fresh = time.monotonic() - self._used_at < _KEPT_SECONDS
            try:
                if fresh and self._server.noop()[0] == _FINE:
                    return self._server
            except OSError:
                pass
            self.quit()
        self._connect()
        if self._place.scheme == "smtp+tls":
            self._server.starttls(context=ssl.create_default_context())
        if self._place.user:
            self._server.login(self._place.user, self._place.password)
        return self._server

    def _connect(self) -> None:
        """Keep the server before it has greeted, so that one which drips its greeting can be cut off."""
        host, port = self._place.host, self._place.port
        if self._place.scheme == "smtps":
            self._server = smtplib.SMTP_SSL(timeout=self._timeout, context=ssl.create_default_context())
        else:
            self._server = smtplib.SMTP(timeout=self._timeout)
        self._server._host = host  # the name that its certificate is checked for
        code, words = self._server.connect(host, port)
        if code != _GREETED:
            raise smtplib.SMTPConnectError(code, words)

    def _cut(self) -> None:
        if self._server is not None and self._server.sock is not None:
            self._server.sock.shutdown(socket.SHUT_RDWR)

    def quit(self) -> None:
        """Close the connection that is kept, if any."""
        server, self._server = self._server, None
        if server is not None:
            server.close()


def send(message: EmailMessage) -> None:
    """Send it by the mailer of the settings. Raises Rejected, OSError, Misconfigured."""
    chosen().send(message)


def chosen() -> Mailer:
    """The mailer of the settings. Raises Misconfigured for a URL that cannot be read."""
    url, timeout = settings.current().mail_url, settings.current().mail_timeout_seconds
    try:
        scheme = mail_server(url).scheme
    except ValueError as error:
        raise Misconfigured(f"TASKMANAGER_MAIL_URL {error}") from None
    if scheme == "null":
        return NullMailer()
    place = (url, timeout, threading.get_ident())  # one of its own for each thread: a connection is one conversation
    return _kept.setdefault(place, SmtpMailer(url, timeout))


_kept: dict[tuple[str, float, int], SmtpMailer] = {}


def hang_up() -> None:
    """Close the connections that are kept."""
    for known in _kept.values():
        known.quit()
    _kept.clear()
