"""A mail that shows whether the mail server accepts what this service sends."""

from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from taskmanager.core.clock import now
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.security.redaction import redact
from taskmanager.features.notifications.channels import mailer
from taskmanager.features.notifications.channels.base import Rejected


def send(settings: Settings, address: str) -> str:
    """Send a mail; return what was wrong, or nothing."""
    message = EmailMessage()
    message["Subject"] = "Test of Task Manager"
    message["From"], message["To"] = settings.mail_from, address
    message["Date"], message["Message-ID"] = format_datetime(now()), make_msgid()
    message.set_content(f"This mail was sent by `taskmanager test-mail` of {settings.base_url}.")
    try:
        mailer.send(message)
    except (OSError, Rejected) as error:
        return redact(f"{type(error).__name__}: {error}")
    finally:
        mailer.close_connections()
    return ""
