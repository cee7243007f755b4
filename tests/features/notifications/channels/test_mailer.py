"""Mail over TLS: with STARTTLS and from the start, only to servers whose certificate is trusted."""

import base64
import smtplib
import socket
import ssl
import threading
import time
from contextlib import suppress
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import ports
from taskmanager.features.notifications.channels import mailer
from taskmanager.features.notifications.channels.mailer import NullMailer, SmtpMailer


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
    port = ports.choose()
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


def test_a_server_that_no_one_vouches_for_gets_nothing(server):
    handler, url = server
    sender = SmtpMailer(url, 5)
    with pytest.raises(ssl.SSLCertVerificationError):
        sender.send(message())
    assert handler.secure == []


def test_authorities_of_a_file_of_ones_own_are_trusted(server, certificate, other_app):
    handler, url = server
    other_app(mail_url=url, mail_ca_file=certificate)
    mailer.send(message())
    mailer.close_connections()
    assert handler.secure == [True]


WITHOUT_TLS = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


class Login:
    """Takes XOAUTH2 with one token, as large providers do; keeps what it was greeted with."""

    def __init__(self):
        self.names, self.logins, self.mails = [], [], 0

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self.names.append(hostname)
        return responses

    async def auth_XOAUTH2(self, server, args):
        words = base64.b64decode(args[1])
        self.logins.append(words)
        if words == b"user=ada@example.com\x01auth=Bearer good.token\x01\x01":
            return AuthResult(success=True, auth_data=words)
        await server.push("334 " + base64.b64encode(b'{"status":"401"}').decode())
        assert await server._reader.readline() == b"\r\n"
        await server.push("535 5.7.8 not accepted")
        return AuthResult(success=False, handled=True)

    async def handle_DATA(self, server, session, envelope):
        self.mails += 1
        return "250 OK"


@pytest.fixture
def login_server():
    """(handler, url) of a server that lets send who has logged in by XOAUTH2."""
    handler, port = Login(), ports.choose()
    options = {"auth_required": True, "auth_require_tls": False, "auth_exclude_mechanism": ["LOGIN", "PLAIN"]}
    controller = Controller(handler, hostname=ports.LOCALHOST, port=port, **options)
    controller.start()
    yield handler, f"smtp://ada%40example.com@{ports.LOCALHOST}:{port}"
    controller.stop()


@WITHOUT_TLS
def test_a_server_is_greeted_by_the_name_of_the_settings(login_server, tmp_path, other_app):
    handler, url = login_server
    (tmp_path / "token").write_text("good.token\n")
    other_app(mail_url=url, mail_helo="tasks.example.com", mail_oauth_token_file=tmp_path / "token")
    mailer.send(message())
    mailer.close_connections()
    assert (set(handler.names), handler.mails) == ({"tasks.example.com"}, 1)


@WITHOUT_TLS
def test_a_token_of_a_file_is_read_for_each_connection(login_server, tmp_path, other_app):
    handler, url = login_server
    (tmp_path / "token").write_text("old.token")
    other_app(mail_url=url, mail_oauth_token_file=tmp_path / "token")
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        mailer.send(message())
    assert "old.token" not in str(refused.value)
    (tmp_path / "token").write_text("good.token")
    mailer.send(message())
    mailer.close_connections()
    assert (len(handler.logins), handler.mails) == (2, 1)


@WITHOUT_TLS
@pytest.mark.parametrize("content", ["", "two words", "line\x01auth=Bearer x"])
def test_a_file_without_a_token_is_an_error_that_may_pass(login_server, tmp_path, other_app, content):
    handler, url = login_server
    (tmp_path / "token").write_text(content)
    other_app(mail_url=url, mail_oauth_token_file=tmp_path / "token")
    with pytest.raises(OSError, match="holds no token"):
        mailer.send(message())
    assert handler.logins == []


def test_the_setting_chooses(other_app):
    other_app(mail_url="null://")
    assert isinstance(mailer.configured_mailer(), NullMailer)
    other_app(mail_url="pigeon://coop")
    with pytest.raises(Misconfigured):
        mailer.configured_mailer()


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
