"""Send mails by SMTP, or not at all (`null://`), as `TASKMANAGER_MAIL_URL` says."""

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
from taskmanager.core.telemetry import spans
from taskmanager.features.notifications.channels.base import Rejected

_GREETING, _OK, _PERMANENT = 220, 250, 500  # reply codes of a server (RFC 5321): those from 500 on are permanent
_KEPT_SECONDS = 20.0
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, 2.1


class Mailer(Protocol):
    """Sends a mail."""

    def send(self, message: EmailMessage) -> None:
        """Send the message. Raises OSError (`smtplib.SMTPException` is one) when it was not accepted."""


class NullMailer:
    """Sends nothing: `null://`."""

    def send(self, message: EmailMessage) -> None:
        """Discard the message."""


class Connection(NamedTuple):
    """The arguments of a mailer. `timeout` is in seconds; `ca_file` (PEM) replaces the system's authorities."""

    url: str
    timeout: float
    helo: str = ""
    ca_file: Path | None = None
    token_file: Path | None = None


class SmtpMailer:
    """Sends over SMTP: `smtp://` in clear, `smtp+tls://` with STARTTLS, `smtps://` with TLS from the start.

    A connection is kept for some seconds, so that several mails share one greeting and login.
    """

    def __init__(
        self, url: str, timeout: float, helo: str = "", ca_file: Path | None = None, token_file: Path | None = None
    ) -> None:
        """Set the server, the name for HELO, and `token_file`, which holds an OAuth 2 access token for XOAUTH2."""
        self._address, self._timeout = mail_server(url), timeout
        self._helo, self._ca_file, self._token_file = helo or None, ca_file, token_file
        self._server: smtplib.SMTP | None = None
        self._used_at = 0.0

    def send(self, message: EmailMessage) -> None:
        """Send the message; the timeout bounds the whole conversation.

        Raises Rejected when the server permanently refuses the address or the message, OSError when a retry may help.
        """
        with deadline(self._timeout, self._cut):
            try:
                self._connection().send_message(message)
            except smtplib.SMTPRecipientsRefused as error:
                self.quit()
                codes = {code for code, _ in error.recipients.values()}
                if min(codes) >= _PERMANENT:
                    raise Rejected(f"The address is refused: {error}") from None
                raise
            except smtplib.SMTPDataError as error:
                self.quit()
                if error.smtp_code >= _PERMANENT:
                    raise Rejected(f"The message is refused: {error}") from None
                raise
            except BaseException:
                self.quit()
                raise
        self._used_at = time.monotonic()

    def _connection(self) -> smtplib.SMTP:
        """Return a connection that is logged in: the kept one if the server still responds, else a new one."""
        if self._server is not None:
            fresh = time.monotonic() - self._used_at < _KEPT_SECONDS
            try:
                if fresh and self._server.noop()[0] == _OK:
                    return self._server
            except OSError:
                pass
            self.quit()
        server = self._connect()
        if self._address.scheme == "smtp+tls":
            server.starttls(context=self._tls_context())
        self._log_in(server)
        return server

    def _log_in(self, server: smtplib.SMTP) -> None:
        """Log in as the user of the URL, if any: by XOAUTH2 with a token, else by password."""
        user = self._address.user
        if not user:
            return
        if self._token_file is None:
            server.login(user, self._address.password)
            return
        server.ehlo_or_helo_if_needed()
        credentials = f"user={user}\x01auth=Bearer {_token(self._token_file)}\x01\x01"
        # a server that refuses sends the reason as a challenge, and its code after an empty response
        server.auth("XOAUTH2", lambda challenge=None: credentials if challenge is None else "")

    def _tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_file)

    def _connect(self) -> smtplib.SMTP:
        """Connect to the server. It is kept before it has greeted, so that `_cut` can end a slow greeting."""
        host, port = self._address.host, self._address.port
        server = (
            smtplib.SMTP_SSL(timeout=self._timeout, context=self._tls_context(), local_hostname=self._helo)
            if self._address.scheme == "smtps"
            else smtplib.SMTP(timeout=self._timeout, local_hostname=self._helo)
        )
        self._server = server
        server._host = host  # type: ignore[attr-defined]  # private: the name that the certificate is checked for
        code, greeting = server.connect(host, port)
        if code != _GREETING:
            raise smtplib.SMTPConnectError(code, greeting)
        return server

    def _cut(self) -> None:
        if self._server is not None and self._server.sock is not None:
            self._server.sock.shutdown(socket.SHUT_RDWR)

    def quit(self) -> None:
        """Close the kept connection, if any."""
        server, self._server = self._server, None
        if server is not None:
            server.close()


def send(message: EmailMessage) -> None:
    """Send the message by the mailer of the settings. Raises Rejected, OSError, Misconfigured."""
    chosen, server = configured_mailer(), mail_server(settings.current().mail_url)
    with spans.span("SMTP", "client", server__address=server.host, server__port=server.port):
        chosen.send(message)


def configured_mailer() -> Mailer:
    """Return the mailer of the settings. Raises Misconfigured for a URL that cannot be read."""
    current = settings.current()
    try:
        scheme = mail_server(current.mail_url).scheme
    except ValueError as error:
        raise Misconfigured(f"TASKMANAGER_MAIL_URL {error}") from None
    if scheme == "null":
        return NullMailer()
    connection = Connection(
        current.mail_url,
        current.mail_timeout_seconds,
        current.mail_helo,
        current.mail_ca_file,
        current.mail_oauth_token_file,
    )
    key = (connection, threading.get_ident())  # one mailer for each thread: a connection is one conversation
    return _kept.setdefault(key, SmtpMailer(*connection))


def _token(path: Path) -> str:
    """Return the access token in a file, which is read each time. Raises OSError, so that the mail is retried."""
    token = path.read_text().strip()
    if not _TOKEN.fullmatch(token):
        raise OSError("The file for the OAuth token of the mail server holds no token.")
    return token


_kept: dict[tuple[Connection, int], SmtpMailer] = {}


def close_connections() -> None:
    """Close the kept connections of all threads."""
    for mailer in list(_kept.values()):
        mailer.quit()
    _kept.clear()
