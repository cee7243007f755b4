"""Sending mail: a real mailer and a Null one, chosen by `TASKMANAGER_MAIL_URL`."""

import smtplib
import ssl
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

from taskmanager.core import settings
from taskmanager.core.errors import Misconfigured

_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


class Mailer(Protocol):
    """What can send a message."""

    def send(self, message: EmailMessage) -> None:
        """Hand the message over. Raises OSError (`smtplib.SMTPException` is one) when it was not taken."""


class NullMailer:
    """Sends nothing: `null://`."""

    def send(self, message: EmailMessage) -> None:
        """Forget the message."""


class SmtpMailer:
    """Sends over SMTP: `smtp://` in clear, `smtp+tls://` with STARTTLS, `smtps://` with TLS from the start."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._timeout = urlsplit(url), timeout

    def send(self, message: EmailMessage) -> None:
        """Hand the message to the server, waiting at most the timeout for each of its answers."""
        with self._connect() as server:
            if self._url.scheme == "smtp+tls":
                server.starttls(context=ssl.create_default_context())
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            server.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "localhost", self._url.port or _PORTS[self._url.scheme]
        if self._url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=self._timeout, context=ssl.create_default_context())
        return smtplib.SMTP(host, port, timeout=self._timeout)


def chosen() -> Mailer:
    """The mailer of the settings. Raises Misconfigured for a scheme it does not know."""
    url, timeout = settings.current().mail_url, settings.current().mail_timeout_seconds
    scheme = urlsplit(url).scheme
    if scheme == "null":
        return NullMailer()
    if scheme not in _PORTS:
        raise Misconfigured(f"TASKMANAGER_MAIL_URL must begin with null://, {'://, '.join(_PORTS)}://")
    return SmtpMailer(url, timeout)
