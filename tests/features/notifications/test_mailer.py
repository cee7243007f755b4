"""Mail over TLS: with STARTTLS and from the start, only to servers whose certificate is trusted."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller

from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import ports
from taskmanager.features.notifications import mailer
from taskmanager.features.notifications.mailer import NullMailer, SmtpMailer


class Handler:
    """Keeps the messages, and whether they came over TLS."""

    def __init__(self):
        self.secure = []

    async def handle_DATA(self, server, session, envelope):
        self.secure.append(session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK"


@pytest.fixture(params=["smtps", "smtp+tls"])
def server(request, certificate):
    """(handler, url) of a server that talks TLS in this way."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    how = {"ssl_context": context} if request.param == "smtps" else {"tls_context": context, "require_starttls": True}
    handler = Handler()
    port = ports.bind(ports.LOCALHOST, 0)
    controller = Controller(handler, hostname=ports.LOCALHOST, port=port, **how)
    if request.param == "smtps":  # it asks itself whether it has come up, with a context that is for servers
        controller._trigger_server = lambda: _greet(port)
    controller.start()
    yield handler, f"{request.param}://{ports.LOCALHOST}:{port}"
    controller.stop()


def _greet(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((ports.LOCALHOST, port), 5) as plain, context.wrap_socket(plain) as secure:
        secure.recv(100)


def message():
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", "Hello"
    mail.set_content("Hello")
    return mail


def test_a_trusted_server_gets_the_mail_over_tls(server, certificate, monkeypatch):
    handler, url = server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sender = SmtpMailer(url, 5)
    for _ in range(2):
        sender.send(message())
    sender.quit()
    assert handler.secure == [True, True]


def test_a_server_that_nobody_vouches_for_gets_nothing(server):
    handler, url = server
    sender = SmtpMailer(url, 5)
    with pytest.raises(ssl.SSLCertVerificationError):
        sender.send(message())
    assert handler.secure == []


def test_the_setting_chooses(other_app):
    other_app(mail_url="null://")
    assert isinstance(mailer.chosen(), NullMailer)
    other_app(mail_url="pigeon://coop")
    with pytest.raises(Misconfigured):
        mailer.chosen()


def test_a_server_that_drips_its_greeting_is_cut_off():
    server = socket.create_server((ports.LOCALHOST, 0))

    def drip():
        connection, _ = server.accept()
        with connection, suppress(OSError):
            for _ in range(500):
                connection.sendall(b"220-hello\r\n")
                time.sleep(0.2)

    threading.Thread(target=drip, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(OSError):
        SmtpMailer(f"smtp://{ports.LOCALHOST}:{server.getsockname()[1]}", 0.5).send(message())
    assert time.monotonic() - began < 50  # it would go on for a hundred seconds
    server.close()
