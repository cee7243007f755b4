"""What the service's workers are measured against: the same sends, as plain RQ jobs without records or retries."""

import http.client
import smtplib
from email.message import EmailMessage
from urllib.parse import urlsplit


def mail(url: str, number: int) -> None:
    """One mail of the size of ours, over a connection of its own as smtplib's documentation has it."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", f"[P-{number}] A task"
    message["Message-ID"] = f"<{number}@plain>"
    text = "Hello Ben,\n\nAnn assigned P-1 to you:\n\n    A task\n\nhttp://127.0.0.1/api/v1/tasks/65f1\n"
    message.set_content(text)
    message.add_alternative(f"<html><body><p>{text * 3}</p></body></html>", subtype="html")
    place = urlsplit(url)
    with smtplib.SMTP(place.hostname or "", place.port or 25, timeout=10) as server:
        server.send_message(message)


def hook(url: str, number: int) -> None:
    """One request of the size of ours."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    headers = {"Content-Type": "application/json", "webhook-id": f"plain_{number}"}
    connection.request("POST", place.path, b"x" * 1500, headers)
    connection.getresponse().read()
    connection.close()
