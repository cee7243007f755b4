"""Checks of this machine, the mail server, the certificate and the keys."""

import os
import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

from taskmanager.api.checks.measured import HealthCheck, Measured, Status, above
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.configuration.connection_urls import MailServer, mail_server
from taskmanager.core.security import keyring

_SECONDS = 0.9
_DAY = 86_400
_MAX_KEY_DAYS = 400


def _disk() -> Iterator[Measured]:
    folder = settings.current().data_dir
    known = next(path for path in (folder, *folder.parents) if path.exists())
    yield above("data:disk", psutil.disk_usage(str(known)).percent, "percent", warn=85, fail=95)


def _memory() -> Iterator[Measured]:
    yield above("machine:memory", psutil.virtual_memory().percent, "percent", warn=90, fail=97)
    yield Measured("process:memory", psutil.Process().memory_info().rss, "bytes")
    yield above("machine:load", os.getloadavg()[1] / (os.cpu_count() or 1), "of each processor", warn=2)


def _mail() -> Iterator[Measured]:
    """Connect to the mail server and read its greeting; log in to nothing."""
    server = mail_server(settings.current().mail_url)
    if server.scheme == "null":
        yield Measured("mail:response", "none", "", "warn", "No mail is sent: TASKMANAGER_MAIL_URL is null://.")
        return
    started = time.perf_counter()
    try:
        problem = _greeting_problem(server)
    except OSError as error:
        problem = f"The mail server of TASKMANAGER_MAIL_URL does not respond: {type(error).__name__}."
    if problem:
        yield Measured("mail:response", None, "", "warn", problem)
    else:
        yield above("mail:response", (time.perf_counter() - started) * 1000, "ms", warn=500)


def _greeting_problem(server: MailServer) -> str:
    with socket.create_connection((server.host, server.port), _SECONDS) as connection:
        if server.scheme != "smtps" and connection.recv(1024)[:3] != b"220":
            return "The mail server does not greet."
    return ""


def _certificate() -> Iterator[Measured]:
    """Read the certificate of the public URL, when that is https."""
    parts = urlsplit(settings.current().base_url)
    if parts.scheme != "https" or not parts.hostname:
        return
    context = ssl.create_default_context()
    with (
        socket.create_connection((parts.hostname, parts.port or 443), _SECONDS) as connection,
        context.wrap_socket(connection, server_hostname=parts.hostname) as encrypted,
    ):
        certificate = encrypted.getpeercert() or {}
    left = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - now().timestamp()) / _DAY
    status: Status = "pass" if left > 14 else "warn" if left > 3 else "fail"
    output = "" if status == "pass" else "The certificate of TASKMANAGER_PUBLIC_URL ends soon."
    yield Measured("certificate:days_left", round(left, 1), "days", status, output)


def _keys() -> Iterator[Measured]:
    for kid, made, state in keyring.described(settings.current().keys_path):
        if state == "signing":
            yield above("keys:age", (now() - made).total_seconds() / _DAY, "days", warn=_MAX_KEY_DAYS, name=kid)


MACHINE_CHECKS = (
    HealthCheck("data:disk", _disk),
    HealthCheck("machine:memory", _memory),
    HealthCheck("mail:response", _mail, away="warn"),
    HealthCheck("certificate:days_left", _certificate, away="warn"),
    HealthCheck("keys:age", _keys),
)
