"""Mail over TLS: with STARTTLS and from the start, only to servers whose certificate is trusted."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that it has signed itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(ports.LOCALHOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


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
