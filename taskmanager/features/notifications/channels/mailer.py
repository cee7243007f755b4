"""Sending mail: a real mailer and a Null one, chosen by `TASKMANAGER_MAIL_URL`."""

import re
import smtplib
import socket
import ssl
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple, Protocol

from taskmanager.core.configuration import settings
from taskmanager.core.configuration.connection_urls import mail_server
from taskmanager.core.errors import Misconfigured
from taskmanager.core.http.deadline import deadline
from taskmanager.features.notifications.channels.base import Rejected

_GREETED, _FINE, _FOR_GOOD = 220, 250, 500  # answers of a server (RFC 5321): those from 500 on are final
_KEPT_SECONDS = 20.0
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, 2.1


class Mailer(Protocol):
    """What can send a message."""

    def send(self, message: EmailMessage) -> None:
        """Hand the message over. Raises OSError (`smtplib.SMTPException` is one) when it was not taken."""


class NullMailer:
    """Sends nothing: `null://`."""

    def send(self, message: EmailMessage) -> None:
        """Forget the message."""


class Connection(NamedTuple):
    """What a mailer is made with. A `ca_file` (PEM) takes the place of the system's authorities."""

    url: str
    timeout: float
    helo: str = ""
    ca_file: Path | None = None
    token_file: Path | None = None


class SmtpMailer:
    """Sends over SMTP: `smtp://` in clear, `smtp+tls://` with STARTTLS, `smtps://` with TLS from the start.

    A connection is kept for some seconds, so that many mails need not greet the server each.
    """

    def __init__(
        self, url: str, timeout: float, helo: str = "", ca_file: Path | None = None, token_file: Path | None = None
    ) -> None:
        """Take the name to greet with, `helo`, and `token_file`, with an OAuth 2 access token for XOAUTH2."""
        self._place, self._timeout = mail_server(url), timeout
        self._helo, self._ca_file, self._token_file = helo or None, ca_file, token_file
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
                    raise Rejected(f"The address is refused: {error}") from None
                raise
            except smtplib.SMTPDataError as error:
                self.quit()
                if error.smtp_code >= _FOR_GOOD:
                    raise Rejected(f"The message is refused: {error}") from None
                raise
            except BaseException:
                self.quit()
                raise
        self._used_at = time.monotonic()

    def _greeted(self) -> smtplib.SMTP:
        """Return a connection that answers; the kept one, if it does."""
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
            self._server.starttls(context=self._trusted())
        self._log_in(self._server)
        return self._server

    def _log_in(self, server: smtplib.SMTP) -> None:
        """Log in as the user of the URL, if there is one: by XOAUTH2 with a token, else by password."""
        user = self._place.user
        if not user:
            return
        if self._token_file is None:
            server.login(user, self._place.password)
            return
        server.ehlo_or_helo_if_needed()
        words = f"user={user}\x01auth=Bearer {_token(self._token_file)}\x01\x01"
        # a server that refuses says why in a challenge, and waits for an empty answer before it gives the code
        server.auth("XOAUTH2", lambda challenge=None: words if challenge is None else "")

    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_file)

    def _connect(self) -> None:
        """Keep the server before it has greeted, so that one which drips its greeting can be cut off."""
        host, port = self._place.host, self._place.port
        if self._place.scheme == "smtps":
            self._server = smtplib.SMTP_SSL(timeout=self._timeout, context=self._trusted(), local_hostname=self._helo)
        else:
            self._server = smtplib.SMTP(timeout=self._timeout, local_hostname=self._helo)
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
    """Return the mailer of the settings. Raises Misconfigured for a URL that cannot be read."""
    known = settings.current()
    try:
        scheme = mail_server(known.mail_url).scheme
    except ValueError as error:
        raise Misconfigured(f"TASKMANAGER_MAIL_URL {error}") from None
    if scheme == "null":
        return NullMailer()
    how = Connection(
        known.mail_url, known.mail_timeout_seconds, known.mail_helo, known.mail_ca_file, known.mail_oauth_token_file
    )
    place = (how, threading.get_ident())  # one of its own for each thread: a connection is one conversation
    return _kept.setdefault(place, SmtpMailer(*how))


def _token(path: Path) -> str:
    """Return the access token in a file, read anew each time. Raises OSError, so that the mail is tried
    another time.
    """
    token = path.read_text().strip()
    if not _TOKEN.fullmatch(token):
        raise OSError("The file with the OAuth token of the mail server holds no token.")
    return token


_kept: dict[tuple[Connection, int], SmtpMailer] = {}


def hang_up() -> None:
    """Close the connections that are kept."""
    for known in _kept.values():
        known.quit()
    _kept.clear()
